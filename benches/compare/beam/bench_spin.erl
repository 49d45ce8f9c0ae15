%% How long a call takes while eight processes compute for ever.
-module(bench_spin).
-export([latency/2]).

-define(SPINNERS, 8).
%% Calls whose time is kept; the BEAM does not come near that in the seconds that a row takes.
-define(KEPT, 4000000).

%% The share of the latencies that the row is about, in nanoseconds.
latency(Millis, Share) ->
    {ok, Server} = bench:start_counter(),
    [spawn(fun() -> spin(1) end) || _ <- lists:seq(1, ?SPINNERS)],
    End = erlang:monotonic_time(millisecond) + Millis,
    Sorted = list_to_tuple(lists:sort(calls(Server, End, 0, []))),
    element(1 + round((tuple_size(Sorted) - 1) * Share), Sorted).

calls(Server, End, Count, Nanos) ->
    case Count < ?KEPT andalso erlang:monotonic_time(millisecond) < End of
        false -> Nanos;
        true ->
            Start = erlang:monotonic_time(nanosecond),
            0 = gen_server:call(Server, get, infinity),
            calls(Server, End, Count + 1, [erlang:monotonic_time(nanosecond) - Start | Nanos])
    end.

spin(X) -> spin((X * 5 + 1) band 16#ffffffff).
