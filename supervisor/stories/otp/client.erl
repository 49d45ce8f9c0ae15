%% Those who use the servers of a story: clients, and bystanders that only end.
-module(client).
-export([start/3, stuck/2, silent/1, cast/2]).

start(Id, Trap, World = #{rec := Rec}) ->
    Pid = spawn(fun() ->
        process_flag(trap_exit, Trap),
        receive go -> loop(World#{mons => #{}, reqs => #{}, seen => [], all => gen_server:reqids_new()}) end
    end),
    recorder:ask(Rec, {born, Id, Pid, #{}}),
    Pid ! go,
    Pid.

%% Whether a server does not come to its messages until something else happens.
stuck(Pid, #{rec := Rec}) when is_pid(Pid) ->
    Flags = recorder:ask(Rec, {flags, Pid}),
    lists:any(fun(Flag) -> maps:get(Flag, Flags, false) end, [gated, asking, suspended]);
stuck(_, _) -> false.

%% Whether it is sure that no reply comes of it, now or by the server alone.
silent({script, [], {go, Act}}) -> lists:member(Act, [none, hibernate, {timeout, never}]);
silent(_) -> false.

cast(none, _) -> ok;
cast(To, Message) -> gen_server:cast(To, Message).

loop(S = #{rec := Rec, mons := Mons}) ->
    receive
        {do, Op, Time} ->
            {Parts, Flags, Next} = op(Op, Time, S),
            recorder:ask(Rec, {result, self(), Parts, Flags}),
            loop(Next);
        {finish, Why} -> exit(server:exit_reason(Why));
        {'EXIT', Pid, Why} -> heard("exit ", Pid, Why, S);
        {'DOWN', Ref, process, Pid, Why} when is_map_key(Ref, Mons) -> heard("down ", Pid, Why, S)
    end.

heard(What, Pid, Why, S = #{rec := Rec}) ->
    recorder:ask(Rec, {event, self(), ["heard ", What, {who, Pid}, " ", {why, Why}]}),
    loop(S).

%% What it has come to, what is known from now on, and the state.
op({start, Id, How, Named, _, Plan}, Time, S = #{rec := Rec, name := Name, mons := Mons}) ->
    Links = links(),
    Args = {maps:with([rec, name], S), Id, Plan},
    Options = case Time of infinity -> []; _ -> [{timeout, Time}] end,
    Result = case {How, Named} of
        {start, true} -> gen_server:start({local, Name(Id)}, server, Args, Options);
        {start, false} -> gen_server:start(server, Args, Options);
        {link, true} -> gen_server:start_link({local, Name(Id)}, server, Args, Options);
        {link, false} -> gen_server:start_link(server, Args, Options);
        {monitor, true} -> gen_server:start_monitor({local, Name(Id)}, server, Args, Options);
        {monitor, false} -> gen_server:start_monitor(server, Args, Options)
    end,
    case Result of
        {ok, {Pid, Ref}} -> {["ok ", {who, Pid}], #{}, S#{mons := Mons#{Ref => Pid}}};
        {ok, Pid} -> {["ok ", {who, Pid}], #{}, S};
        _ ->
            How =:= link andalso forget([maps:get(director, S) | Links]),
            {failed(Result, Rec), #{}, S}
    end;
op({cast, To, Message}, _, S) ->
    {case server:reach(To, S) of
        none -> "none";
        Pid -> cast(Pid, Message), "done"
    end, #{}, S};
op({send, To, Message}, _, S) ->
    {case server:reach(To, S) of
        none -> "none";
        %% Sending to a name that nobody has is an error in Erlang.
        Pid -> catch Pid ! Message, "done"
    end, #{}, S};
op({abcast, Ids, Message}, _, S = #{name := Name}) ->
    [gen_server:abcast([node()], Name(Id), Message) || Id <- Ids],
    {"done", #{}, S};
op({call, To, Message, _}, Time, S) ->
    {case server:reach(To, S) of
        none -> "none";
        Pid ->
            case server:call(Pid, Message, Time) of
                {ok, Answer} -> Answer;
                {exit, Why, _} -> ["exit ", {why, Why}]
            end
    end, #{}, S};
op({multi_call, Ids, Message}, Time, S = #{name := Name}) ->
    %% One name on many nodes in Erlang, many names here.
    Ask = fun(Id) -> exit({answers, gen_server:multi_call([node()], Name(Id), Message, Time)}) end,
    Asked = [{Id, spawn_monitor(fun() -> Ask(Id) end)} || Id <- Ids],
    Answers = [receive {'DOWN', Ref, process, Pid, {answers, A}} -> {Id, A} end
        || {Id, {Pid, Ref}} <- Asked],
    Replies = [["; ", atom_to_list(Id), " ", replied(R)] || {Id, {[{_, R}], []}} <- Answers],
    Bad = [["; ", atom_to_list(Id), " bad"] || {Id, {[], [_]}} <- Answers],
    {["multi", Replies, Bad], #{}, S};
op({request, To, Message, Label}, _, S = #{reqs := Reqs}) ->
    case server:reach(To, S) of
        none -> {"none", #{}, S};
        Pid -> {"sent", #{}, S#{reqs := Reqs#{Label => gen_server:send_request(Pid, Message)}}}
    end;
op({response, Label, Look}, _, S = #{reqs := Reqs}) when is_map_key(Label, Reqs) ->
    Id = maps:get(Label, Reqs),
    Result = case Look of
        {take, Time} -> gen_server:receive_response(Id, time(Time));
        {wait, Time} -> gen_server:wait_response(Id, time(Time));
        check -> check(fun(Message) -> gen_server:check_response(Message, Id) end)
    end,
    Kept = (Result =:= timeout andalso element(1, Look) =:= wait) orelse Result =:= no_reply,
    {response(Result), #{}, case Kept of true -> S; false -> S#{reqs := maps:remove(Label, Reqs)} end};
op({response, _, _}, _, S) -> {"none", #{}, S};
op({collect, To, Message, Label}, _, S = #{all := All}) ->
    case server:reach(To, S) of
        none -> {"none", #{}, S};
        Pid -> {"sent", #{}, S#{all := gen_server:send_request(Pid, Message, Label, All)}}
    end;
op({any, Look, Delete}, _, S = #{all := All, seen := Seen}) ->
    There = without_second_replies(Seen),
    Result = case Look of
        {take, Time} -> gen_server:receive_response(All, time(Time), Delete);
        {wait, Time} -> gen_server:wait_response(All, time(Time), Delete);
        check -> check(fun(Message) -> gen_server:check_response(Message, All, Delete) end)
    end,
    case Result of
        {Response, Label, Rest} ->
            Size = gen_server:reqids_size(Rest),
            {[{n, Label}, ": ", response(Response), ", ", {n, Size}, " left"], #{},
                S#{all := Rest, seen := Seen ++ (There -- tags())}};
        timeout when element(1, Look) =:= take ->
            {"timeout", #{}, S#{all := gen_server:reqids_new()}};
        _ -> {response(Result), #{}, S}
    end;
op({reply, Id, Number}, _, S) ->
    case server:reach({pid, Id}, S) of
        none -> {"none", #{}, S};
        Pid ->
            try sys:get_state(Pid, infinity) of
                #{kept := #{Number := From}} ->
                    Forget = fun(T = #{kept := Kept}) -> T#{kept := maps:remove(Number, Kept)} end,
                    server:is_server(From, S) andalso sys:replace_state(Pid, Forget, infinity),
                    gen_server:reply(From, {reply, Number, 1000});
                _ -> ok
            catch exit:_ -> ok
            end,
            {"done", #{}, S}
    end;
op({stop, To, Why, _}, Time, S) ->
    {case server:reach(To, S) of
        none -> "none";
        Pid ->
            try gen_server:stop(Pid, server:exit_reason(Why), Time) of
                ok -> "ok"
            catch
                %% [difference] It has ended so, but before it saw the request.
                exit:{Same, {sys, terminate, [_, Same, _]}} -> "ok";
                exit:Reason -> ["exit ", {why, stripped(Reason)}]
            end
    end, #{}, S};
op({sys, To, Sys}, _, S) ->
    case server:reach(To, S) of
        none -> {"none", #{}, S};
        Name ->
            Pid = case is_pid(Name) of true -> Name; false -> whereis(Name) end,
            try sys(Sys, Name) of
                Parts when Sys =:= suspend -> {Parts, #{Pid => #{suspended => true}}, S};
                Parts when Sys =:= resume -> {Parts, #{Pid => #{suspended => false}}, S};
                Parts -> {Parts, #{}, S}
            catch _:Reason -> {["exit ", {why, stripped(Reason)}], #{}, S}
            end
    end.

time(never) -> infinity;
time(Time) -> server:millis(Time).

failed(ignore, _) -> "ignore";
failed({error, {already_started, Pid}}, _) -> ["already_started ", {who, Pid}];
failed({error, Why}, _) -> ["error ", {why, Why}].

links() -> element(2, process_info(self(), links)).

%% [difference] Before OTP 26 nobody waits for the end of what did not start, and its exit stays in
%% the mailbox.
forget(Before) ->
    case links() -- Before of
        [] -> forget_exits(Before);
        _ -> erlang:yield(), forget(Before)
    end.

forget_exits(Before) ->
    {messages, Messages} = process_info(self(), messages),
    case [Pid || {'EXIT', Pid, _} <- Messages, not lists:member(Pid, Before)] of
        [] -> ok;
        [Pid | _] -> receive {'EXIT', Pid, _} -> forget_exits(Before) end
    end.

%% [difference] A second reply to a request, for which there is no handle here, would be a second
%% response if the entry has been kept. Returns the tags of the replies that are there.
without_second_replies(Seen) ->
    sort_out(Seen, []),
    tags().

sort_out(Seen, Kept) ->
    receive
        {Tag, {reply, _, _}} = Message ->
            case lists:member(Tag, Seen) of
                true -> sort_out(Seen, Kept);
                false -> sort_out([Tag | Seen], [Message | Kept])
            end;
        Message -> sort_out(Seen, [Message | Kept])
    after 0 -> [self() ! Message || Message <- lists:reverse(Kept)]
    end.

tags() ->
    {messages, Messages} = process_info(self(), messages),
    [Tag || {Tag, {reply, _, _}} <- Messages].

replied({reply, Number, N}) -> ["reply ", {n, Number}, " ", {n, N}].

response({reply, R}) -> replied(R);
response({error, {Why, _}}) -> ["error ", {why, Why}];
response(Other) -> atom_to_list(Other).

%% Shows the messages that are there to a function, each at its turn, until it takes one.
check(Fun) ->
    {messages, Messages} = process_info(self(), messages),
    check(Messages, Fun).

check([], Fun) -> Fun(nothing_of_that_kind);
check([Message | Rest], Fun) ->
    case Fun(Message) of
        no_reply -> check(Rest, Fun);
        no_request -> no_request;
        Result -> receive Message -> Result end
    end.

sys(suspend, Pid) -> sys:suspend(Pid, infinity), "ok";
sys(resume, Pid) -> sys:resume(Pid, infinity), "ok";
sys(get_state, Pid) -> ["state ", {n, maps:get(n, sys:get_state(Pid, infinity))}];
sys(replace_state, Pid) ->
    sys:replace_state(Pid, fun(S = #{n := N}) -> S#{n := N + 100} end, infinity),
    "ok";
sys(replace_badly, Pid) ->
    sys:replace_state(Pid, fun(_) -> error(crashed) end, infinity),
    "ok".

stripped({Why, {sys, _, _}}) -> Why;
stripped({callback_failed, _, _}) -> callback_failed;
stripped(Why) -> Why.
