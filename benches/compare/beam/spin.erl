%% The BEAM's side of `spin`: a ping-pong while eight processes compute.
-module(spin).
-export([main/1]).

-define(SPINNERS, 8).
-define(SAMPLES, 4000000).

%% With two balls each player works on each for so many nanoseconds.
-define(WORK, 10000).

main([Spinners, Balls, Seconds]) ->
    Time = list_to_integer(Seconds) * 1000000000,
    Root = self(),
    spawn(fun() -> Root ! measure(Spinners, list_to_integer(Balls), Time) end),
    receive
        {Count, Nanos} ->
            Sorted = list_to_tuple(lists:sort(Nanos)),
            At = fun(Part) -> element(1 + trunc((tuple_size(Sorted) - 1) * Part), Sorted) / 1000 end,
            io:format("~11.1f ~11.1f ~11.1f ~9b~n", [At(0.5), At(0.99), At(1.0), round(Count * 1.0e9 / Time)])
    end,
    halt(0).

measure(Spinners, Balls, Time) ->
    Pong = spawn(fun() -> pong(Balls) end),
    [spawn(fun() -> spin(Spinners) end) || _ <- lists:seq(1, ?SPINNERS)],
    [serve(Pong) || _ <- lists:seq(1, Balls)],
    ping(Pong, Balls, erlang:monotonic_time(nanosecond) + Time, 0, []).

pong(Balls) ->
    receive {From, Since} -> work(Balls), From ! Since, pong(Balls) end.

serve(Pong) -> Pong ! {self(), erlang:monotonic_time(nanosecond)}.

ping(Pong, Balls, End, Count, Nanos) ->
    receive Since -> ok end,
    Now = erlang:monotonic_time(nanosecond),
    Kept = case Count < ?SAMPLES of true -> [Now - Since | Nanos]; false -> Nanos end,
    if Now >= End -> {Count + 1, Kept};
       true -> work(Balls), serve(Pong), ping(Pong, Balls, End, Count + 1, Kept)
    end.

work(1) -> ok;
work(_) -> work_until(erlang:monotonic_time(nanosecond) + ?WORK).

work_until(End) ->
    case erlang:monotonic_time(nanosecond) < End of true -> work_until(End); false -> ok end.

%% It is preempted anyway; the yield is for the likeness.
spin("forever") -> spin("forever");
spin("yield") ->
    busy(erlang:monotonic_time(millisecond) + 20),
    erlang:yield(),
    spin("yield").

busy(End) ->
    case erlang:monotonic_time(millisecond) < End of true -> busy(End); false -> ok end.
