%% A server of a story: each callback does what its script says and tells the recorder.
-module(server).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).
-export([is_server/2, millis/1, reach/2, exit_reason/1, call/3]).

-define(SOON, 3).

%% Times of stories in milliseconds.
millis(zero) -> 0;
millis(soon) -> ?SOON;
millis(never) -> 600000.

exit_reason(shutdown_x) -> {shutdown, x};
exit_reason(Why) -> Why.

%% Where messages go.
reach({name, Id}, #{name := Name}) -> Name(Id);
reach({pid, Id}, #{rec := Rec}) -> recorder:ask(Rec, {latest, Id}).

%% A call, and what it has come to; the exit reason as well.
call(To, Message, Time) ->
    try gen_server:call(To, Message, Time) of
        {reply, Number, N} -> {ok, answer(Number, N)}
    catch exit:{Why, {gen_server, call, _}} = Full -> {exit, Why, Full}
    end.

answer(Number, N) -> ["reply ", {n, Number}, " ", {n, N}].

init({World = #{rec := Rec}, Id, {plan, Trap, Init, Timeout, Exit, Terminate}}) ->
    process_flag(trap_exit, Trap),
    {script, AtEnd, _} = Terminate,
    recorder:ask(Rec, {born, Id, self(), #{server => true,
        gated_end => AtEnd =/= [] andalso hd(AtEnd) =:= gate}}),
    S = World#{timeout => Timeout, exit => Exit, terminate => Terminate, n => 0, kept => #{},
               mons => #{}, next => none, busy => none},
    case run("init", Init, none, 0, S) of
        {noreply, Next} -> {ok, Next};
        {noreply, Next, Act} -> {ok, Next, Act};
        {throw, {noreply, Next}} -> throw({ok, Next});
        {throw, {noreply, Next, Act}} -> throw({ok, Next, Act});
        {stop, Why, _} -> {stop, Why};
        ignore -> ignore
    end.

handle_call({message, Number, Script}, From, S) ->
    thrown(run(["handle ", {n, Number}, " call"], Script, From, Number, S));
handle_call(Other, _, S) -> {reply, Other, S}.

handle_cast({message, Number, Script}, S) ->
    thrown(run(["handle ", {n, Number}, " cast"], Script, none, Number, S)).

handle_info(timeout, S = #{timeout := Script}) ->
    thrown(run("timeout", Script, none, 0, S));
handle_info({message, Number, Script}, S) ->
    thrown(run(["handle ", {n, Number}, " info"], Script, none, Number, S));
handle_info({'EXIT', Pid, Reason}, S) -> heard("exit ", Pid, Reason, S);
handle_info({'DOWN', _, process, Pid, Reason}, S) -> heard("down ", Pid, Reason, S).

heard(What, Pid, Reason, S = #{exit := Then}) ->
    event(["heard ", What, {who, Pid}, " ", {why, Reason}], S),
    thrown(then(Then, none, 0, S)).

handle_continue(run, S = #{next := Script}) -> thrown(run("continue", Script, none, 0, S)).

terminate(Why, S = #{terminate := {script, Does, Then}, n := N}) ->
    event(["terminate ", {why, Why}, " ", {n, N}], S),
    _ = does(Does, none, 0, S),
    case Then of
        {exit, Other} -> exit(exit_reason(Other));
        crash -> error(crashed);
        {throw, _} -> throw(nothing);
        _ -> ok
    end.

thrown({throw, Answer}) -> throw(Answer);
thrown(ignore) -> exit(no_ignore_here);
thrown(Answer) -> Answer.

event(Parts, #{rec := Rec}) -> recorder:ask(Rec, {event, self(), Parts}).

run(Text, {script, Does, Then}, From, Number, S = #{n := N}) ->
    event([Text, " ", {n, N}], S),
    {Still, Next} = does(Does, From, Number, S),
    then(Then, Still, Number, Next).

%% Whether the request is still to be answered, and the state.
does(Does, From, Number, S) ->
    lists:foldl(fun(Action, {F, Acc}) -> do(Action, F, Number, Acc) end, {From, S}, Does).

do(gate, From, _, S = #{rec := Rec}) ->
    recorder:ask(Rec, {gate, self()}),
    {From, S};
do(reply_now, none, _, S) -> {none, S};
do(reply_now, From, Number, S = #{n := N}) ->
    gen_server:reply(From, {reply, Number, N}),
    case is_server(From, S) of
        %% A message that it does not know would disturb it.
        true -> {none, S};
        %% It is still there: the second reply must not be heard.
        false -> {From, S#{busy := From}}
    end;
do({reply_kept, Number}, From, _, S = #{kept := Kept, n := N}) ->
    case Kept of
        #{Number := Asker} ->
            gen_server:reply(Asker, {reply, Number, N}),
            {From, case is_server(Asker, S) of
                true -> S#{kept := maps:remove(Number, Kept)};
                false -> S
            end};
        _ -> {From, S}
    end;
do(call_self, From, _, S) ->
    {exit, Why, _} = call(self(), nothing, infinity),
    event(["calls itself: exit ", {why, Why}], S),
    {From, S};
do({call, To, Message, Strict, Impatient}, From, _, S = #{rec := Rec}) ->
    recorder:ask(Rec, {flag, self(), #{asking => true}}),
    Pid = reach(To, S),
    Target = case is_pid(Pid) of true -> Pid; false -> whereis(Pid) end,
    {message, _, Script} = Message,
    Soon = Impatient andalso (client:stuck(Target, S) orelse client:silent(Script)),
    %% Only its own timer runs then.
    recorder:ask(Rec, {flag, self(), #{ticking => Soon}}),
    Result = case Pid of
        none -> {exit, noproc, {noproc, {gen_server, call, []}}};
        _ -> call(Pid, Message, case Soon of true -> ?SOON; false -> infinity end)
    end,
    recorder:ask(Rec, {flag, self(), #{ticking => false}}),
    case Result of
        {ok, Answer} -> event(["asked: ", Answer], S);
        {exit, Why, _} -> event(["asked: exit ", {why, Why}], S)
    end,
    case Result of
        {exit, _, Full} when Strict -> exit(Full);
        _ -> {From, S}
    end;
do({cast, To, Message}, From, _, S) ->
    client:cast(reach(To, S), Message),
    {From, S};
do({trap, On}, From, _, S) -> process_flag(trap_exit, On), {From, S};
do({link, Friend}, From, _, S) -> with(Friend, S, fun erlang:link/1), {From, S};
do({unlink, Friend}, From, _, S) -> with(Friend, S, fun erlang:unlink/1), {From, S};
do({monitor, Friend}, From, _, S = #{mons := Mons}) ->
    case with(Friend, S, fun(Pid) -> monitor(process, Pid) end) of
        none -> {From, S};
        Ref -> {From, S#{mons := Mons#{Friend => [Ref | maps:get(Friend, Mons, [])]}}}
    end;
do({demonitor, Friend}, From, _, S = #{mons := Mons}) ->
    [demonitor(Ref, [flush]) || Ref <- maps:get(Friend, Mons, [])],
    {From, S#{mons := maps:remove(Friend, Mons)}}.

is_server({Pid, _}, #{rec := Rec}) ->
    maps:get(server, recorder:ask(Rec, {flags, Pid}), false).

with(Friend, #{rec := Rec}, Fun) ->
    case recorder:ask(Rec, {find, Friend}) of
        none -> none;
        Pid -> Fun(Pid)
    end.

then({stop, Why}, From, Number, S) -> {stop, exit_reason(Why), grown(keep(From, Number, S))};
then({stop_reply, Why}, none, _, S) -> {stop, exit_reason(Why), grown(S)};
then({stop_reply, Why}, _, Number, S = #{n := N}) ->
    {stop, exit_reason(Why), {reply, Number, N}, grown(S)};
then({exit, Why}, _, _, _) -> exit(exit_reason(Why));
then(crash, _, _, _) -> error(crashed);
then(ignore, _, _, _) -> ignore;
then({throw, Act}, From, Number, S) -> {throw, then({go, Act}, From, Number, S)};
then({reply, Act}, none, _, S) -> act([noreply], Act, S);
then({reply, Act}, _, Number, S = #{n := N}) -> act([reply, {reply, Number, N}], Act, S);
then({go, Act}, From, Number, S) -> act([noreply], Act, keep(From, Number, S)).

%% A request that was answered already is not kept.
keep(none, _, S) -> S;
keep(From, _, S = #{busy := From}) -> S;
keep(From, Number, S = #{kept := Kept}) -> S#{kept := Kept#{Number => From}}.

grown(S = #{n := N}) -> S#{n := N + 1}.

act(Answer, none, S) -> list_to_tuple(Answer ++ [grown(S)]);
act(Answer, hibernate, S) -> list_to_tuple(Answer ++ [grown(S), hibernate]);
act(Answer, {continue, Script}, S) ->
    list_to_tuple(Answer ++ [grown(S#{next := Script}), {continue, run}]);
act(Answer, {timeout, Time}, S = #{rec := Rec}) ->
    recorder:ask(Rec, {flag, self(), #{armed => Time =/= never}}),
    list_to_tuple(Answer ++ [grown(S), millis(Time)]).
