%% One actor deals messages out to some others, in turns.
-module(fork_join_throughput).
-export([run/3]).

run(Actors, Count, _) ->
    Root = self(),
    savina:timed(fun() ->
        Workers = [spawn_link(fun() -> worker(0, Count, 0, Root) end) || _ <- lists:seq(1, Actors)],
        deal(0, Count, Workers),
        savina:gather(Actors)
    end).

deal(Count, Count, _) -> ok;
deal(Number, Count, Workers) ->
    [Worker ! {work, Number} || Worker <- Workers],
    deal(Number + 1, Count, Workers).

%% The next message must be the next number.
worker(Count, Count, Sum, Root) -> Root ! {report, Sum};
worker(Expected, Count, Sum, Root) ->
    receive {work, Number} ->
        Number = Expected,
        savina:sine(37.2),
        worker(Expected + 1, Count, Sum + Number, Root)
    end.
