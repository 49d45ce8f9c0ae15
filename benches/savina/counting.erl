%% One actor sends another as fast as it can, which counts; then it asks how many there were.
-module(counting).
-export([run/3]).

run(_, Count, _) ->
    Root = self(),
    savina:timed(fun() ->
        Counter = spawn_link(fun() -> counter(0) end),
        spawn_link(fun() -> producer(Counter, Count, Root) end),
        savina:gather(1)
    end).

producer(Counter, 0, Root) -> Counter ! {retrieve, Root};
producer(Counter, Left, Root) -> Counter ! increment, producer(Counter, Left - 1, Root).

counter(Count) ->
    receive
        increment -> counter(Count + 1);
        {retrieve, To} -> To ! {report, Count}
    end.
