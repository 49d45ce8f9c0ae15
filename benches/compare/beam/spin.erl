%% The BEAM's side of `spin`: a ping-pong while eight processes compute.
-module(spin).
-export([main/1]).

-define(SPINNERS, 8).
-define(SAMPLES, 4000000).

main([Spinners, Seconds]) ->
    Time = list_to_integer(Seconds) * 1000000000,
    Root = self(),
    spawn(fun() -> Root ! measure(Spinners, Time) end),
    receive
        {Count, Nanos} ->
            Sorted = list_to_tuple(lists:sort(Nanos)),
            At = fun(Part) -> element(1 + trunc((tuple_size(Sorted) - 1) * Part), Sorted) / 1000 end,
            io:format("~11.1f ~11.1f ~11.1f ~9b~n", [At(0.5), At(0.99), At(1.0), round(Count * 1.0e9 / Time)])
    end,
    halt(0).

measure(Spinners, Time) ->
    Pong = spawn(fun pong/0),
    [spawn(fun() -> spin(Spinners) end) || _ <- lists:seq(1, ?SPINNERS)],
    ping(Pong, erlang:monotonic_time(nanosecond) + Time, 0, []).

pong() -> receive From -> From ! pong, pong() end.

ping(Pong, End, Count, Nanos) ->
    Start = erlang:monotonic_time(nanosecond),
    Pong ! self(),
    receive pong -> ok end,
    Now = erlang:monotonic_time(nanosecond),
    Kept = case Count < ?SAMPLES of true -> [Now - Start | Nanos]; false -> Nanos end,
    if Now >= End -> {Count + 1, Kept};
       true -> ping(Pong, End, Count + 1, Kept)
    end.

%% It is preempted anyway; the yield is for the likeness.
spin("forever") -> spin("forever");
spin("yield") ->
    busy(erlang:monotonic_time(millisecond) + 20),
    erlang:yield(),
    spin("yield").

busy(End) ->
    case erlang:monotonic_time(millisecond) < End of true -> busy(End); false -> ok end.
