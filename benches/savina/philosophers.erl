%% Philosophers ask an arbitrator for two forks, and ask again when they are denied.
-module(philosophers).
-export([run/3]).

run(Actors, Count, _) ->
    Root = self(),
    savina:timed(fun() ->
        [spawn_link(fun() -> philosopher(Index, Count, Root) end) ! start || Index <- lists:seq(0, Actors - 1)],
        arbitrate(erlang:make_tuple(Actors, false), Actors, 0)
    end).

%% Which forks are taken, who is there, and the meals so far.
arbitrate(_, 0, Meals) -> Meals;
arbitrate(Forks, There, Meals) ->
    receive
        {hungry, Index, Philosopher} ->
            {Left, Right} = both(Index, Forks),
            case element(Left, Forks) orelse element(Right, Forks) of
                true -> Philosopher ! denied, arbitrate(Forks, There, Meals);
                false ->
                    Philosopher ! eat,
                    arbitrate(setelement(Left, setelement(Right, Forks, true), true), There, Meals)
            end;
        {done, Index} ->
            {Left, Right} = both(Index, Forks),
            true = element(Left, Forks) andalso element(Right, Forks),
            arbitrate(setelement(Left, setelement(Right, Forks, false), false), There, Meals + 1);
        exit -> arbitrate(Forks, There - 1, Meals)
    end.

both(Index, Forks) -> {Index + 1, (Index + 1) rem tuple_size(Forks) + 1}.

philosopher(Index, Left, Arbitrator) ->
    receive
        eat ->
            Arbitrator ! {done, Index},
            case Left of
                1 -> Arbitrator ! exit;
                _ -> self() ! start, philosopher(Index, Left - 1, Arbitrator)
            end;
        _StartOrDenied ->
            Arbitrator ! {hungry, Index, self()},
            philosopher(Index, Left, Arbitrator)
    end.
