%% The suite on the BEAM. One workload a run:
%%
%%     erl -noshell +S 2:2 -run savina main WORKLOAD ACTORS COUNT ROOM WARM_UP SAMPLES
%%
%% warms up with a count of WARM_UP and prints SAMPLES lines `WORKLOAD milliseconds result`. A workload is the
%% module of that name, with `_` for `-`; its `run(Actors, Count, Room)` gives nanoseconds and the result.
-module(savina).
-export([main/1, timed/1, gather/1, random/1, next/1, below/2, sine/1, busy/1, process_item/1]).

-compile({inline, [next/1]}).

-define(MODULUS, 16#7fffffff).

main(["version"]) ->
    io:format("OTP ~s, ERTS ~s, ~s~n", [erlang:system_info(otp_release), erlang:system_info(version),
                                       erlang:system_info(emu_flavor)]),
    halt(0);
main([Workload | Numbers]) ->
    Module = list_to_atom(lists:flatten(string:replace(Workload, "-", "_", all))),
    [Actors, Count, Room, WarmUp, Samples] = [list_to_integer(Number) || Number <- Numbers],
    {Worker, Ref} = spawn_monitor(fun() ->
        sample(Module, Actors, WarmUp, Room),
        [print(Workload, sample(Module, Actors, Count, Room)) || _ <- lists:seq(1, Samples)]
    end),
    receive {'DOWN', Ref, process, Worker, normal} -> halt(0);
            {'DOWN', Ref, process, Worker, Why} -> io:format(standard_error, "~p~n", [Why]), halt(1)
    end.

print(Workload, {Nanos, Result}) -> io:format("~s ~.6f ~b~n", [Workload, Nanos / 1.0e6, Result]).

%% Each sample has a process of its own, so that none inherits a heap.
sample(Module, Actors, Count, Room) ->
    Root = self(),
    Pid = spawn_link(fun() -> Root ! {self(), Module:run(Actors, Count, Room)} end),
    receive {Pid, Sample} -> Sample end.

%% --- what the workloads share ----------------------------------------------

timed(Fun) ->
    Start = erlang:monotonic_time(nanosecond),
    Result = Fun(),
    {erlang:monotonic_time(nanosecond) - Start, Result}.

%% The sum of so many reports.
gather(Count) -> gather(Count, 0).
gather(0, Sum) -> Sum;
gather(Count, Sum) -> receive {report, Part} -> gather(Count - 1, Sum + Part) end.

%% Park and Miller's generator: the state is the number.
random(Seed) -> Seed rem (?MODULUS - 1) + 1.
next(State) -> State * 48271 rem ?MODULUS.
below(State, Limit) -> Next = next(State), {Next rem Limit, Next}.

%% The angle comes from elsewhere, so that the compiler cannot have the sine ready.
sine(Theta) ->
    Sine = math:sin(Theta),
    true = Sine * Sine > 0.0,
    ok.

busy(Turns) -> busy(Turns, random(Turns)).
busy(0, State) -> State;
busy(Turns, State) -> busy(Turns - 1, next(State)).

process_item(Item) -> process_item(2500, random(25), Item).
process_item(0, _, Result) -> Result;
process_item(Left, State, Result) ->
    Next = next(State),
    process_item(Left - 1, Next, Result + math:log(Next / ?MODULUS + 0.01)).
