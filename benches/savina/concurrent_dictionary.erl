%% Workers read and write one dictionary, and wait for each answer.
-module(concurrent_dictionary).
-export([run/3]).

-define(WRITES, 10).

run(Actors, Count, Room) ->
    Root = self(),
    Dictionary = spawn_link(fun() ->
        dictionary(maps:from_list([{Key, Key} || Key <- lists:seq(0, Room - 1)]), 0)
    end),
    %% What it holds at first is there before the clock starts.
    Dictionary ! {read, 0, self()},
    receive {answer, 0} -> ok end,
    savina:timed(fun() ->
        [spawn_link(fun() -> worker(Index, Count, Room, savina:random(Index), Dictionary, Root) end)
         || Index <- lists:seq(0, Actors - 1)],
        [receive finished -> ok end || _ <- lists:seq(1, Actors)],
        Dictionary ! {exit, Root},
        savina:gather(1)
    end).

worker(_, 0, _, _, _, Root) -> Root ! finished;
worker(Index, Left, Room, Random, Dictionary, Root) ->
    {Draw, Second} = savina:below(Random, 100),
    {Key, Third} = savina:below(Second, Room),
    case Draw < ?WRITES of
        true ->
            Value = Room * (Index + 1) + Key,
            Dictionary ! {write, Key, Value, self()},
            receive {answer, Value} -> ok end;
        false ->
            Dictionary ! {read, Key, self()},
            receive {answer, Read} -> Key = Read rem Room end
    end,
    worker(Index, Left - 1, Room, Third, Dictionary, Root).

%% Reports the requests, and the sum of the keys that were written.
dictionary(Values, Report) ->
    receive
        {write, Key, Value, From} ->
            From ! {answer, Value},
            dictionary(Values#{Key := Value}, Report + 1 + Key);
        {read, Key, From} ->
            From ! {answer, map_get(Key, Values)},
            dictionary(Values, Report + 1);
        {exit, To} -> To ! {report, Report}
    end.
