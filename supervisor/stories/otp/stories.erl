#!/usr/bin/env escript
%% -*- erlang -*-
%%! +sbwt none +P 1000000
%%
%% Tells stories to Erlang/OTP's own `supervisor`.
%%
%% Reads `{Number, Root, Steps}.` (of supervisors) or `{Number, servers, Steps}.` (of servers,
%% `servers.erl`) line by line from standard input and writes, for each story as
%% it ends, `story Number`, the lines of its trace and `end Number`. Stories run at the same time,
%% each with three processes of its own besides the tree: the *director* carries out the steps,
%% the *recorder* (`recorder.erl`) is told by every process of the tree what happens to it, and the *parent* has
%% started the root.
%%
%% `../src/stage/` is the same for regrow; the crate's documentation says what a trace is.
-module(stories).
-mode(compile).
-export([main/1, init/1, start/2, start/3, gate/1, birth/2, worker/3, log/2]).

-define(PERIOD, 3600).
-define(PATIENCE, 120000).

main(_) ->
    [logger:remove_handler(Handler) || Handler <- logger:get_handler_ids()],
    logger:set_primary_config(level, error),
    ok = logger:add_handler(?MODULE, ?MODULE, #{}),
    lists:foreach(fun load/1, ["recorder", "servers", "server_recorder", "server", "client"]),
    io:setopts([{encoding, latin1}, binary]),
    process_flag(trap_exit, true),
    read().

load(Name) ->
    Source = filename:join(filename:dirname(escript:script_name()), Name ++ ".erl"),
    {ok, Module, Code} = compile:file(Source, [binary, report]),
    {module, Module} = code:load_binary(Module, Source, Code).

read() ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, {Number, Root, Steps}} = erl_parse:parse_term(Tokens),
            spawn(fun() ->
                tell(Number, fun() ->
                    case Root of
                        servers -> servers:direct(Number, Steps);
                        _ -> direct(Root, Steps)
                    end
                end)
            end),
            read()
    end.

tell(Number, Direct) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> Self ! {trace, self(), Direct()} end),
    Lines =
        receive
            {trace, Pid, Trace} -> Trace;
            {'DOWN', Ref, process, Pid, Why} -> [io_lib:format("broken: ~0p", [Why])]
        after ?PATIENCE ->
            exit(Pid, kill),
            ["hangs"]
        end,
    N = integer_to_list(Number),
    io:put_chars([
        ["story ", N, $\n], [[L, $\n] || L <- Lines], ["end ", N, $\n]
    ]).

%% The director. ---------------------------------------------------------------------------------

direct(Root, Steps) ->
    Recorder = recorder:start_link(),
    Director = self(),
    Parent = spawn(fun() -> parent(Director, Recorder, Root) end),
    Result = receive {root, R} -> R end,
    {supervisor, Name, _, _, _} = Root,
    World = #{rec => Recorder, parent => Parent, root => Name, held => none},
    First = lines("start", [started(World, Result)], World),
    Lines = [First | steps("", 1, Steps, World)],
    clean_up(World, Parent),
    unlink(Recorder),
    exit(Recorder, kill),
    lists:append(Lines).

parent(Director, Recorder, Root) ->
    process_flag(trap_exit, true),
    Director ! {root, start(Recorder, Root)},
    orphanage().

orphanage() ->
    receive
        {exit, panic} -> error(panicked);
        {exit, Reason} -> exit(Reason);
        _ -> orphanage()
    end.

clean_up(World, Parent) ->
    exit(Parent, kill),
    case ask(World, flush) of
        {_, [], _} -> ok;
        {_, Live, _} ->
            [exit(Pid, kill) || {Pid, _, _} <- Live],
            clean_up(World, Parent)
    end.

steps(_, _, [], _) ->
    [];
steps(Prefix, N, [Step | Rest], World) ->
    Place = Prefix ++ integer_to_list(N),
    Lines =
        case Step of
            {hold, Target, Inner} -> hold(Place, Target, Inner, World);
            _ -> lines(Place, do(Step, World), World)
        end,
    [Lines | steps(Prefix, N + 1, Rest, World)].

%% What a step has led to, once nothing moves any more.
lines(Place, Results, World) ->
    quiet(World, 0),
    ["step " ++ Place] ++ ask(World, events) ++
        ["  result " ++ R || R <- Results] ++ views(World).

%% A supervisor is held inside a start function, so that what happens meanwhile queues up.
hold(Place, Target, Inner, World) ->
    case find(Target, World) of
        {Pid, supervisor, Kind} ->
            Gate = ask_later(fun() -> start_gate(Pid, Kind, World) end),
            wait_held(Pid, Gate, World),
            Held = World#{held := Pid},
            Before = lines(Place, [], Held),
            {Lines, Callers} = inside(Place ++ ".", 1, Inner, Held, [], []),
            ask(World, {release, Pid}),
            Results = [answer(C) || C <- Callers],
            _ = answer(Gate),
            Before ++ Lines ++ lines(Place ++ " released", Results, World);
        _ ->
            lines(Place, ["none"], World)
    end.

inside(_, _, [], _, Lines, Callers) ->
    {lists:append(lists:reverse(Lines)), lists:reverse(Callers)};
inside(Prefix, N, [Step | Rest], World = #{held := Held}, Lines, Callers) ->
    Place = Prefix ++ integer_to_list(N),
    Pid = case is_call(Step) andalso find(element(2, Step), World) of
        {P, supervisor, _} -> P;
        _ -> none
    end,
    case Pid of
        Held ->
            Length = queue_length(Held),
            Caller = ask_later(fun() -> do(Step, World#{held := none}) end),
            wait_queued(Held, Length, Caller),
            More = lines(Place, ["asked"], World),
            inside(Prefix, N + 1, Rest, World, [More | Lines], [Caller | Callers]);
        _ ->
            More = lines(Place, do(Step, World), World),
            inside(Prefix, N + 1, Rest, World, [More | Lines], Callers)
    end.

is_call(Step) ->
    lists:member(element(1, Step),
        [start_child, terminate_child, restart_child, delete_child, get_childspec, stop]).

start_gate(Pid, simple_one_for_one, _) ->
    catch supervisor:start_child(Pid, [hold]);
start_gate(Pid, _, #{rec := Rec}) ->
    catch supervisor:start_child(Pid, #{
        id => '$gate', restart => temporary, start => {?MODULE, gate, [Rec]}
    }).

wait_held(Pid, Gate = {Caller, _}, World) ->
    case ask(World, {is_held, Pid}) orelse not is_process_alive(Caller) of
        true -> ok;
        false -> erlang:yield(), wait_held(Pid, Gate, World)
    end.

wait_queued(Pid, Length, Caller = {Process, _}) ->
    case queue_length(Pid) > Length orelse not is_process_alive(Process) of
        true -> ok;
        false -> erlang:yield(), wait_queued(Pid, Length, Caller)
    end.

queue_length(Pid) ->
    case process_info(Pid, message_queue_len) of
        {_, Length} -> Length;
        undefined -> 0
    end.

ask_later(Fun) -> spawn_monitor(fun() -> exit({answer, Fun()}) end).

answer({Pid, Ref}) ->
    receive
        {'DOWN', Ref, process, Pid, {answer, [Result]}} -> Result;
        {'DOWN', Ref, process, Pid, {answer, Other}} -> Other;
        {'DOWN', Ref, process, Pid, Why} -> io_lib:format("broken: ~0p", [Why])
    end.

%% One step; its results as text.
do({crash, Target, Reason}, World) ->
    case find(Target, World) of
        {Pid, worker, _} ->
            Ref = monitor(process, Pid),
            Pid ! {die, Reason},
            receive {'DOWN', Ref, process, Pid, _} -> [] end;
        _ -> ["none"]
    end;
do({kill, Target}, World) -> do({exit, Target, kill}, World);
do({exit, Target, Reason}, World) ->
    case find(Target, World) of
        {Pid, _, _} ->
            exit(Pid, Reason),
            is_process_alive(Pid),
            [];
        none -> ["none"]
    end;
do({parent, Reason}, #{parent := Parent}) ->
    Ref = monitor(process, Parent),
    Parent ! {exit, Reason},
    receive {'DOWN', Ref, process, Parent, _} -> [] end;
do(Call, World) ->
    case find(element(2, Call), World) of
        {Pid, supervisor, Kind} ->
            try [call(Call, Pid, Kind, World)]
            catch exit:{Reason, {gen_server, call, _}} -> [["exit ", reason(Reason)]];
                  %% [difference] It has ended so, but before it saw the request.
                  exit:{Reason, {sys, terminate, [_, Reason, _]}} -> ["ok"];
                  exit:{Reason, {sys, terminate, _}} -> [["exit ", reason(Reason)]];
                  exit:Reason -> [["exit ", reason(Reason)]]
            end;
        _ -> ["none"]
    end.

call({start_child, _, instance}, Pid, simple_one_for_one, World) ->
    started(World, supervisor:start_child(Pid, []));
call({start_child, _, _}, _, simple_one_for_one, _) -> "none";
call({start_child, _, instance}, _, _, _) -> "none";
call({start_child, _, Spec}, Pid, _, World = #{rec := Rec}) ->
    case supervisor:start_child(Pid, child(Rec, Spec)) of
        {error, {Reason, Child}} when element(1, Child) =:= child ->
            started(World, {error, Reason});
        Other -> started(World, Other)
    end;
call({terminate_child, _, {Id, N}}, Pid, simple_one_for_one, World) ->
    case ask(World, {pid, Id, N}) of
        none -> "none";
        Child ->
            Result = supervisor:terminate_child(Pid, Child),
            case is_process_alive(Child) of
                %% [difference] OTP says ok of every dead process.
                false -> "gone";
                true -> done(Result)
            end
    end;
call({stop, _, Reason}, Pid, _, _) ->
    done(gen_server:stop(Pid, Reason, infinity));
call(_, _, simple_one_for_one, _) -> "none";
call({terminate_child, _, Id}, Pid, _, _) -> done(supervisor:terminate_child(Pid, id(Id)));
call({restart_child, _, Id}, Pid, _, World) ->
    started(World, supervisor:restart_child(Pid, id(Id)));
call({delete_child, _, Id}, Pid, _, _) -> done(supervisor:delete_child(Pid, id(Id)));
call({get_childspec, _, Id}, Pid, _, _) ->
    case supervisor:get_childspec(Pid, id(Id)) of
        {ok, #{restart := R, shutdown := S, type := T, significant := G}} ->
            io_lib:format("ok ~p ~p ~p ~p", [R, S, T, G]);
        {error, Reason} -> ["error ", reason(Reason)]
    end.

id({Id, _}) -> Id;
id(Id) -> Id.

done(ok) -> "ok";
done({error, Reason}) -> ["error ", reason(Reason)].

started(_, {ok, undefined}) -> "ok ignored";
started(_, ignore) -> "ok ignored";
started(World, {ok, Pid}) -> ["ok ", name(World, Pid)];
started(World, {error, {already_started, Pid}}) -> ["error already_started ", name(World, Pid)];
started(_, {error, Reason}) -> ["error ", reason(Reason)].

find(Target, World) -> ask(World, {find, Target}).
name(World, Pid) -> ask(World, {name, Pid}).

%% Nothing moves: in two rounds, one after the other, nobody has died, been born or stopped;
%% everybody has heard of all deaths, has answered, and nobody is being restarted.
quiet(_, 2) -> ok;
quiet(World, Rounds) ->
    {Before, Live, Dead} = ask(World, flush),
    Still = lists:all(fun(Process) -> still(Process, Dead, World) end, Live),
    {After, _, _} = ask(World, flush),
    case Still andalso Before =:= After of
        true -> quiet(World, Rounds + 1);
        false -> erlang:yield(), quiet(World, 0)
    end.

still({Pid, Type, _}, Dead, World = #{parent := Parent, held := Held}) ->
    case process_info(Pid, links) of
        undefined -> false;
        {links, Links} ->
            case lists:any(fun(L) -> is_map_key(L, Dead) end, Links) orelse
                (lists:member(Parent, Links) andalso not is_process_alive(Parent)) of
                true -> false;
                false when Pid =:= Held -> true;
                false -> answers(Type, Pid, World)
            end
    end.

answers(worker, Pid, _) ->
    Ref = monitor(process, Pid),
    Pid ! {ping, self(), Ref},
    receive
        {pong, Ref} -> demonitor(Ref, [flush]), true;
        {'DOWN', Ref, process, Pid, _} -> false
    end;
answers(supervisor, Pid, _) ->
    try supervisor:which_children(Pid) of
        Children -> not lists:keymember(restarting, 2, Children)
    catch exit:_ -> false
    end.

%% What the supervisors tell about themselves.
views(World = #{held := Held}) ->
    {_, Live, _} = ask(World, flush),
    Supervisors = lists:sort(
        [{name(World, Pid), Pid, Kind} || {Pid, supervisor, Kind} <- Live, Pid =/= Held]),
    lists:append([view(Name, Pid, Kind, World) || {Name, Pid, Kind} <- Supervisors]).

view(Name, Pid, Kind, World) ->
    Listed = supervisor:which_children(Pid),
    Shown = [shown(C, Kind, World) || C <- Listed],
    Counts = maps:from_list(supervisor:count_children(Pid)),
    #{specs := Specs, active := Active, supervisors := S, workers := W} = Counts,
    {Children, Numbers} =
        case Kind of
            simple_one_for_one ->
                %% [difference] OTP forgets to count down when an instance is terminated that it
                %% tries to restart, and from then on says one too few.
                Running = length([Child || {_, Child, _, _} <- Listed, is_pid(Child)]),
                {lists:sort(Shown), [max(Active, Running), S, W]};
            _ -> {Shown, [Specs, Active, S, W]}
        end,
    ["  which " ++ Name ++ [[" ", C] || C <- Children],
     "  count " ++ Name ++ [[" ", integer_to_list(N)] || N <- Numbers]].

shown({Id, Child, Type, _}, Kind, World) ->
    Who = case Child of
        Pid when is_pid(Pid) -> name(World, Pid);
        Other when Kind =:= simple_one_for_one -> atom_to_list(Other);
        Other -> atom_to_list(Id) ++ "=" ++ atom_to_list(Other)
    end,
    Who ++ case Type of worker -> ""; supervisor -> "/s" end.

%% The children. ---------------------------------------------------------------------------------

%% Supervisors report in their own processes.
log(#{msg := {report, #{label := {supervisor, Context}, report := Report}}}, _) ->
    {offender, Offender} = lists:keyfind(offender, 1, Report),
    {reason, Reason} = lists:keyfind(reason, 1, Report),
    case get(recorder) of
        undefined -> ok;
        Recorder -> ask(Recorder, {report, self(), Context, Offender, Reason})
    end;
log(_, _) -> ok.

init({Recorder, Parent, {supervisor, Id, _, {Strategy, Intensity, Auto}, Children}}) ->
    %% The first "child" tells of the supervisor itself, before anything can end it.
    Birth = #{id => '$birth', restart => temporary,
              start => {?MODULE, birth, [Recorder, {born, Id, Parent, Strategy}]}},
    Flags = #{strategy => Strategy, intensity => Intensity, period => ?PERIOD,
              auto_shutdown => Auto},
    put(recorder, Recorder),
    Specs = [child(Recorder, Spec) || Spec <- Children],
    case Strategy of
        simple_one_for_one ->
            birth(Recorder, {born, Id, Parent, Strategy}),
            {ok, {Flags, Specs}};
        _ -> {ok, {Flags, [Birth | Specs]}}
    end.

birth(Recorder, {born, Id, Parent, Strategy}) ->
    ask(Recorder, {born, Id, self(), Parent, supervisor, Strategy}),
    ignore.

child(Recorder, Spec) ->
    Options = element(3, Spec),
    Option = fun(Key) -> {Key, Value} = lists:keyfind(Key, 1, Options), Value end,
    #{id => element(2, Spec), type => element(1, Spec), restart => Option(restart),
      shutdown => Option(shutdown), significant => Option(significant),
      start => {?MODULE, start, [Recorder, Spec]}}.

%% The start function: runs in the supervisor.
start(Recorder, Spec) ->
    Options = element(3, Spec),
    {start, Plan} = lists:keyfind(start, 1, Options),
    N = ask(Recorder, {attempt, element(2, Spec)}),
    Outcome = case Plan of
        {What, From, Until} when N >= From, N < Until -> What;
        _ -> ok
    end,
    start_as(Outcome, Recorder, Spec).

start(Recorder, _, hold) -> gate(Recorder).

gate(Recorder) ->
    ask(Recorder, {gate, self()}),
    ignore.

start_as({error, Reason}, _, _) -> {error, Reason};
start_as(panic, _, _) -> error(panicked);
start_as(ignore, _, _) -> ignore;
start_as({hang, Time}, Recorder, Spec) -> timer:sleep(Time), start_as(ok, Recorder, Spec);
start_as({hang_error, Time}, _, _) -> timer:sleep(Time), {error, late};
start_as({stillborn, Reason}, Recorder, Spec) ->
    {ok, Pid} = start_as(ok, Recorder, Spec),
    Ref = monitor(process, Pid),
    Pid ! {die, Reason},
    receive {'DOWN', Ref, process, Pid, _} -> told(Pid) end,
    {ok, Pid};
start_as(Outcome, Recorder, Spec) when element(1, Spec) =:= worker ->
    proc_lib:start_link(?MODULE, worker, [self(), Recorder, {Outcome, Spec}]);
start_as(_, Recorder, Spec) ->
    case supervisor:start_link(?MODULE, {Recorder, self(), Spec}) of
        {ok, Pid} ->
            settled(Pid),
            ask(Recorder, {up, Pid}),
            {ok, Pid};
        Other -> Other
    end.

%% Waits until a supervisor has dealt with the ends of children that its starter, which goes on
%% now, could only overtake by luck; or has ended.
settled(Pid) ->
    try supervisor:which_children(Pid) of
        Children ->
            case lists:all(fun({_, C, _, _}) -> still(C) end, Children) of
                true -> ok;
                false -> erlang:yield(), settled(Pid)
            end
    catch exit:_ -> told(Pid)
    end.

still(undefined) -> true;
still(restarting) -> false;
still(Pid) -> is_process_alive(Pid).

%% Waits until the exit of a dead process is in the mailbox.
told(Pid) ->
    {links, Links} = process_info(self(), links),
    case lists:member(Pid, Links) of
        true -> erlang:yield(), told(Pid);
        false -> ok
    end.

worker(_, _, {{init, panic}, _}) -> error(panicked);
worker(_, _, {{init, Reason}, _}) -> exit(Reason);
worker(Supervisor, Recorder, {_, {worker, Id, Options}}) ->
    Option = fun(Key) -> {Key, Value} = lists:keyfind(Key, 1, Options), Value end,
    process_flag(trap_exit, Option(trap)),
    ask(Recorder, {born, Id, self(), Supervisor, worker, none}),
    Option(unlinks) andalso unlink(Supervisor),
    proc_lib:init_ack({ok, self()}),
    work(Supervisor, Recorder, Option(stop)).

work(Supervisor, Recorder, Stop) ->
    receive
        {die, panic} -> error(panicked);
        {die, Reason} -> exit(Reason);
        {ping, From, Ref} -> From ! {pong, Ref};
        %% Not told, since it is killed at a time that has nothing to do with ours.
        {'EXIT', Supervisor, _} when Stop =:= never -> ok;
        {'EXIT', Supervisor, Reason} ->
            ask(Recorder, {stop, self(), Reason}),
            case Stop of
                same -> exit(Reason);
                {slow, Time} -> timer:sleep(Time), exit(Reason);
                {other, panic} -> error(panicked);
                {other, Other} -> exit(Other)
            end;
        {'EXIT', _, _} -> ok
    end,
    work(Supervisor, Recorder, Stop).

ask(#{rec := Recorder}, Request) -> recorder:ask(Recorder, Request);
ask(Recorder, Request) -> recorder:ask(Recorder, Request).

reason(Reason) -> recorder:reason(Reason).
