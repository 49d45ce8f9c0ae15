%% Everybody pings somebody, again and again: a target drawn at random, whose answer it waits for.
-module(big).
-export([run/3]).

run(Actors, Count, _) ->
    Sink = self(),
    savina:timed(fun() ->
        Pids = [spawn_link(fun() -> actor(Index, Count, Sink) end) || Index <- lists:seq(0, Actors - 1)],
        Neighbours = list_to_tuple(Pids),
        [Pid ! {neighbours, Neighbours} || Pid <- Pids],
        [receive finished -> ok end || _ <- Pids],
        [Pid ! exit || Pid <- Pids],
        savina:gather(Actors)
    end).

actor(Index, Count, Sink) ->
    receive {neighbours, Actors} ->
        {Target, Random} = ping(Index, Actors, savina:random(Index)),
        actor(Index, Actors, Target, Count - 1, 0, Random, Sink)
    end.

actor(Index, Actors, Target, Left, Answered, Random, Sink) ->
    receive
        {ping, From} ->
            element(From + 1, Actors) ! {pong, Index},
            actor(Index, Actors, Target, Left, Answered + 1, Random, Sink);
        {pong, From} ->
            From = Target,
            case Left of
                0 ->
                    Sink ! finished,
                    actor(Index, Actors, Target, Left, Answered, Random, Sink);
                _ ->
                    {Next, Then} = ping(Index, Actors, Random),
                    actor(Index, Actors, Next, Left - 1, Answered, Then, Sink)
            end;
        exit -> Sink ! {report, Answered}
    end.

ping(Index, Actors, Random) ->
    {Target, _} = Drawn = savina:below(Random, tuple_size(Actors)),
    element(Target + 1, Actors) ! {ping, Index},
    Drawn.
