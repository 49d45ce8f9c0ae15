%% A token goes round a ring of actors, counting down; then the ring is taken apart.
-module(thread_ring).
-export([run/3]).

run(Actors, Count, _) ->
    Root = self(),
    Last = Count rem Actors,
    savina:timed(fun() ->
        First = spawn_link(fun() ->
            receive {next, Next} -> member(Next, Actors, Last =:= 0, 0, Root) end
        end),
        Second = lists:foldl(fun(Index, Next) ->
            spawn_link(fun() -> member(Next, Actors, Last =:= Index, 0, Root) end)
        end, First, lists:seq(Actors - 1, 1, -1)),
        First ! {next, Second},
        First ! {token, Count},
        savina:gather(1)
    end).

%% `Ends` is whether the token must end here.
member(Next, Actors, Ends, Received, Root) ->
    receive
        {token, 0} ->
            true = Ends,
            Next ! {exit, Actors, 0},
            member(Next, Actors, Ends, Received + 1, Root);
        {token, Hops} ->
            Next ! {token, Hops - 1},
            member(Next, Actors, Ends, Received + 1, Root);
        {exit, 1, Tokens} -> Root ! {report, Tokens + Received};
        {exit, Left, Tokens} -> Next ! {exit, Left - 1, Tokens + Received}
    end.
