%% Two actors, a message there and one back.
-module(ping_pong).
-export([run/3]).

run(_, Count, _) ->
    Root = self(),
    savina:timed(fun() ->
        Pong = spawn_link(fun() -> pong(1, Count) end),
        spawn_link(fun() -> ping(Pong, 1, Count, 0, Root) end),
        savina:gather(1)
    end).

ping(_, Number, Count, Sum, Root) when Number > Count -> Root ! {report, Sum};
ping(Pong, Number, Count, Sum, Root) ->
    Pong ! {ping, self()},
    receive {pong, Number} -> ping(Pong, Number + 1, Count, Sum + Number, Root) end.

pong(Number, Count) when Number > Count -> ok;
pong(Number, Count) -> receive {ping, From} -> From ! {pong, Number}, pong(Number + 1, Count) end.
