%% The BEAM's side of the comparison. One workload a run:
%%
%%     erl -noshell +S 2:2 -run bench main ROW N SAMPLES
%%
%% prints SAMPLES lines `ROW value`; the value is nanoseconds per operation
%% unless the row is about memory (bytes) or idle CPU (microseconds a second).
-module(bench).
-export([main/1, init/1, handle_call/3, handle_cast/2, start_counter/0, start_named/1]).

-define(RING, 503).
-define(SENDERS, 8).
-define(BURST, 100).

main(["version"]) ->
    io:format("OTP ~s, ERTS ~s, ~s~n", [erlang:system_info(otp_release), erlang:system_info(version),
                                       erlang:system_info(emu_flavor)]),
    halt(0);
main(["tcp-echo" | _]) ->
    bench_echo:serve();
main([Row, Count, Samples]) ->
    Work = list_to_atom(Row),
    N = list_to_integer(Count),
    {Worker, Ref} = spawn_monitor(fun() -> samples(Work, N, list_to_integer(Samples)) end),
    receive {'DOWN', Ref, process, Worker, normal} -> halt(0);
            {'DOWN', Ref, process, Worker, Why} -> io:format(standard_error, "~p~n", [Why]), halt(1)
    end.

samples(Work, N, Samples) ->
    once(Work) orelse sample(Work, max(100, N div 10)),
    [io:format("~s ~.3f~n", [Work, sample(Work, N) * 1.0]) || _ <- lists:seq(1, Samples)].

%% Rows about a state, not about a repeated operation, get no warm-up.
once(Work) ->
    lists:member(Work, ['idle-memory', 'linked-memory', 'server-memory', 'idle-cpu',
                        'spin-latency', 'spin-latency-max']).

%% Each sample has a process of its own, so that none inherits a heap.
sample(Work, N) ->
    Root = self(),
    Pid = spawn_link(fun() -> Root ! {self(), work(Work, N)} end),
    receive {Pid, Value} -> Value end.

timed(N, Fun) ->
    Start = erlang:monotonic_time(nanosecond),
    Fun(),
    (erlang:monotonic_time(nanosecond) - Start) / N.

work('spawn-exit', N) ->
    Alive = erlang:system_info(process_count),
    timed(N, fun() -> spawn_exit(N), until_alive(Alive) end);
work('spawn-link', N) ->
    process_flag(trap_exit, true),
    timed(N, fun() -> spawn_link_exit(N div ?BURST) end);
work('ping-pong', N) -> pairs(1, N);
work('ping-pong-64', N) -> pairs(64, N);
work('thread-ring', N) -> ring(N);
work('fan-in', N) ->
    Each = N div ?SENDERS,
    Root = self(),
    timed(N, fun() ->
        [spawn_link(fun() -> flood(Root, Each) end) || _ <- lists:seq(1, ?SENDERS)],
        drain(N)
    end);
work('skynet', N) ->
    Root = self(),
    timed((10 * N - 1) div 9, fun() ->
        spawn(fun() -> skynet(0, N, Root) end),
        Sum = N * (N - 1) div 2,
        receive Sum -> ok end
    end);
work('call', N) -> calls(N, 5000);
work('call-bare', N) -> calls(N, infinity);
work('call-backlog', N) ->
    [self() ! {noise, I} || I <- lists:seq(1, 500000)],
    calls(N, 5000);
work('cast', N) ->
    {ok, Server} = gen_server:start_link(?MODULE, counter, []),
    Each = N div ?SENDERS,
    Root = self(),
    Nanos = timed(N, fun() ->
        [spawn_link(fun() -> cast(Server, Each), Root ! cast_done end) || _ <- lists:seq(1, ?SENDERS)],
        [receive cast_done -> ok end || _ <- lists:seq(1, ?SENDERS)],
        N = gen_server:call(Server, get, infinity)
    end),
    gen_server:stop(Server),
    Nanos;
work('selective-receive', N) ->
    [self() ! {noise, I} || I <- lists:seq(1, 10000)],
    timed(N, fun() -> selective(N) end);
work('link-cascade', N) ->
    Alive = erlang:system_info(process_count),
    Root = self(),
    Hub = spawn(fun() ->
        [spawn_link(fun idle/0) || _ <- lists:seq(1, N)],
        Root ! linked,
        idle()
    end),
    receive linked -> ok end,
    timed(N, fun() -> exit(Hub, crash), until_alive(Alive) end);
work('send-after-cancel', N) ->
    timed(N, fun() -> arm_and_cancel(N) end);
work('send-after', N) ->
    timed(N, fun() ->
        [erlang:send_after(1 + I rem 20, self(), due) || I <- lists:seq(1, N)],
        drain(N)
    end);
work('start-terminate-child', N) ->
    {ok, Sup} = supervisor:start_link(?MODULE, dynamic),
    Nanos = timed(N, fun() -> start_terminate(Sup, N) end),
    stop_linked(Sup),
    Nanos;
work('restart-latency', N) -> kill_restart(N, 0.5);
work('restart-latency-p99', N) -> kill_restart(N, 0.99);
work('restart-latency-p999', N) -> kill_restart(N, 0.999);
work('one-for-all-100', N) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {all, 100}),
    Nanos = timed(N, fun() -> one_for_all(100, N) end),
    stop_linked(Sup),
    Nanos;
work('idle-memory', N) -> memory(N, fun() -> spawn(fun idle/0) end);
work('linked-memory', N) -> memory(N, fun() -> spawn_link(fun idle/0) end);
work('server-memory', N) -> memory(N, fun() -> gen_server:start_link(?MODULE, counter, []) end);
work('idle-cpu', Millis) ->
    [spawn(fun idle/0) || _ <- lists:seq(1, 10000)],
    timer:sleep(1000),
    Before = cpu_nanos(),
    timer:sleep(Millis),
    (cpu_nanos() - Before) / Millis;
work('spin-latency', Millis) -> bench_spin:latency(Millis, 0.99);
work('spin-latency-max', Millis) -> bench_spin:latency(Millis, 1.0);
work('canary', N) ->
    Turns = turns_of_20_us(),
    Root = self(),
    timed(N, fun() ->
        [spawn(fun() -> spin(Turns, 1), Root ! due end) || _ <- lists:seq(1, N)],
        drain(N)
    end).

%% --- workloads -----------------------------------------------------------

spawn_exit(N) when N =< 0 -> ok;
spawn_exit(N) -> spawn_burst(?BURST), erlang:yield(), spawn_exit(N - ?BURST).

spawn_burst(0) -> ok;
spawn_burst(N) -> spawn(fun() -> ok end), spawn_burst(N - 1).

until_alive(Alive) ->
    case erlang:system_info(process_count) > Alive of
        true -> erlang:yield(), until_alive(Alive);
        false -> ok
    end.

spawn_link_exit(0) -> ok;
spawn_link_exit(Bursts) ->
    [spawn_link(fun() -> ok end) || _ <- lists:seq(1, ?BURST)],
    [receive {'EXIT', _, normal} -> ok end || _ <- lists:seq(1, ?BURST)],
    spawn_link_exit(Bursts - 1).

pairs(Pairs, N) ->
    Root = self(),
    Each = N div Pairs,
    Pings = [spawn_link(fun() ->
        Pong = spawn_link(fun pong/0),
        receive go -> ok end,
        ping(Pong, Each),
        Pong ! stop,
        Root ! pair_done
    end) || _ <- lists:seq(1, Pairs)],
    timed(Each * Pairs, fun() ->
        [Ping ! go || Ping <- Pings],
        [receive pair_done -> ok end || _ <- Pings]
    end).

ping(_, 0) -> ok;
ping(Pong, N) -> Pong ! {ping, self()}, receive pong -> ping(Pong, N - 1) end.

pong() -> receive {ping, From} -> From ! pong, pong(); stop -> ok end.

ring(N) ->
    Root = self(),
    First = spawn_link(fun() -> receive {next, Next} -> member(Next, Root) end end),
    Last = lists:foldl(fun(_, Next) -> spawn_link(fun() -> member(Next, Root) end) end,
                       First, lists:seq(2, ?RING)),
    First ! {next, Last},
    Nanos = timed(N, fun() -> Last ! N, receive ring_done -> ok end end),
    Last ! stop,
    Nanos.

member(Next, Root) ->
    receive
        0 -> Root ! ring_done, member(Next, Root);
        stop -> Next ! stop;
        Token -> Next ! Token - 1, member(Next, Root)
    end.

flood(_, 0) -> ok;
flood(To, N) -> To ! due, flood(To, N - 1).

drain(0) -> ok;
drain(N) -> receive due -> drain(N - 1) end.

skynet(Number, 1, Parent) -> Parent ! Number;
skynet(Number, Size, Parent) ->
    Part = Size div 10,
    Self = self(),
    [spawn(fun() -> skynet(Number + I * Part, Part, Self) end) || I <- lists:seq(0, 9)],
    Parent ! lists:sum([receive Sum -> Sum end || _ <- lists:seq(1, 10)]).

calls(N, Timeout) ->
    {ok, Server} = gen_server:start_link(?MODULE, counter, []),
    Nanos = timed(N, fun() -> call(Server, N, Timeout) end),
    gen_server:stop(Server),
    Nanos.

call(_, 0, _) -> ok;
call(Server, N, Timeout) -> 0 = gen_server:call(Server, get, Timeout), call(Server, N - 1, Timeout).

cast(_, 0) -> ok;
cast(Server, N) -> gen_server:cast(Server, add), cast(Server, N - 1).

selective(0) -> ok;
selective(N) -> self() ! wanted, receive wanted -> selective(N - 1) end.

arm_and_cancel(0) -> ok;
arm_and_cancel(N) ->
    erlang:cancel_timer(erlang:send_after(5000, self(), due)),
    arm_and_cancel(N - 1).

start_terminate(_, 0) -> ok;
start_terminate(Sup, N) ->
    {ok, Pid} = supervisor:start_child(Sup, []),
    ok = supervisor:terminate_child(Sup, Pid),
    start_terminate(Sup, N - 1).

kill_restart(N, Share) ->
    {ok, Sup} = supervisor:start_link(?MODULE, permanent),
    Latencies = lists:sort([kill_restart() || _ <- lists:seq(1, N)]),
    stop_linked(Sup),
    lists:nth(min(N, trunc(N * Share) + 1), Latencies).

kill_restart() ->
    Old = whereis(bench_victim),
    Start = erlang:monotonic_time(nanosecond),
    exit(Old, kill),
    answered(bench_victim, Old),
    erlang:monotonic_time(nanosecond) - Start.

%% Kills the oldest child; the youngest is stopped first and started last.
one_for_all(_, N) when N =< 0 -> ok;
one_for_all(Children, N) ->
    Youngest = child_name(Children - 1),
    Old = whereis(Youngest),
    exit(whereis(child_name(0)), kill),
    answered(Youngest, Old),
    one_for_all(Children, N - 1).

answered(Name, Old) ->
    case whereis(Name) of
        undefined -> erlang:yield(), answered(Name, Old);
        Old -> erlang:yield(), answered(Name, Old);
        New -> try gen_server:call(New, get) of 0 -> ok catch exit:_ -> answered(Name, Old) end
    end.

stop_linked(Pid) ->
    Ref = monitor(process, Pid),
    unlink(Pid),
    exit(Pid, shutdown),
    receive {'DOWN', Ref, process, Pid, _} -> ok end.

idle() -> receive stop -> ok end.

%% --- the gen_server and the supervisors -----------------------------------

start_counter() -> gen_server:start_link(?MODULE, counter, []).
start_named(Name) -> gen_server:start_link({local, Name}, ?MODULE, counter, []).
child_name(Index) -> list_to_atom("bench_" ++ integer_to_list(Index)).

init(counter) -> {ok, 0};
init(dynamic) ->
    {ok, {#{strategy => simple_one_for_one, intensity => 10, period => 10},
          [#{id => counter, start => {?MODULE, start_counter, []}, restart => temporary}]}};
init(permanent) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
          [#{id => victim, start => {?MODULE, start_named, [bench_victim]}}]}};
init({all, Children}) ->
    Names = [child_name(Index) || Index <- lists:seq(0, Children - 1)],
    {ok, {#{strategy => one_for_all, intensity => 1000000, period => 1},
          [#{id => Name, start => {?MODULE, start_named, [Name]}} || Name <- Names]}}.

handle_call(get, _, Value) -> {reply, Value, Value}.
handle_cast(add, Value) -> {noreply, Value + 1}.

%% --- the machine -----------------------------------------------------------

memory(N, Start) ->
    Before = rss(),
    start_idle(N, Start),
    timer:sleep(500),
    (rss() - Before) / N.

start_idle(0, _) -> ok;
start_idle(N, Start) -> Start(), start_idle(N - 1, Start).

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Text, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.

cpu_nanos() ->
    Tasks = "/proc/" ++ os:getpid() ++ "/task/",
    {ok, Ids} = file:list_dir(Tasks),
    lists:sum([thread_nanos(Tasks ++ Id ++ "/schedstat") || Id <- Ids]).

thread_nanos(Path) ->
    case file:read_file(Path) of
        {ok, Text} -> binary_to_integer(hd(binary:split(Text, <<" ">>)));
        _ -> 0
    end.

%% A loop that takes 20 us on a core of its own: the fastest of ten tries counts.
turns_of_20_us() ->
    Try = 1000000,
    Nanos = lists:min([timed(1, fun() -> spin(Try, 1) end) || _ <- lists:seq(1, 10)]),
    round(20000 * Try / Nanos).

spin(0, X) -> X;
spin(N, X) -> spin(N - 1, (X * 5 + N) band 16#ffffffff).
