%% Many actors, each for one message: what making and ending one costs.
-module(fork_join_create).
-export([run/3]).

run(_, Count, _) ->
    Root = self(),
    savina:timed(fun() -> create(0, Count, Root), savina:gather(Count) end).

create(Count, Count, _) -> ok;
create(Number, Count, Root) ->
    spawn(fun() -> worker(Root) end) ! {work, Number},
    create(Number + 1, Count, Root).

worker(Root) -> receive {work, Number} -> savina:sine(37.2), Root ! {report, Number} end.
