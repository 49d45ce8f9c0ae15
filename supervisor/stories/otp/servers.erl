%% Tells stories of servers to Erlang/OTP's own `gen_server`.
%%
%% The *director* carries out the steps, the *recorder* (`server_recorder.erl`) is told by everybody what
%% happens; `server.erl` are the callbacks, `client.erl` those who use them. `../src/server/stage/` is
%% the same for regrow.
-module(servers).
-export([direct/2]).

direct(Number, Steps) ->
    Rec = server_recorder:start_link(),
    %% Names of stories that are told at the same time differ.
    Prefix = "story" ++ integer_to_list(Number rem 4096) ++ "_",
    Name = fun(Id) -> list_to_atom(Prefix ++ atom_to_list(Id)) end,
    World = #{rec => Rec, name => Name, director => self()},
    Lines = steps(1, Steps, World),
    clean_up(World),
    unlink(Rec),
    exit(Rec, kill),
    lists:append(Lines).

clean_up(World) ->
    case ask(World, census) of
        {_, [], _} -> ok;
        {_, Live, _} -> [exit(Pid, kill) || {_, Pid} <- Live], clean_up(World)
    end.

steps(_, [], _) -> [];
steps(N, [Step | Rest], World) ->
    [client:start(Id, true, World) || Id <- [f1, f2], find(Id, World) =:= none],
    Said = step(Step, World),
    quiet(World, 0, none),
    Lines = ["step " ++ integer_to_list(N)] ++ ["  " ++ S || S <- Said] ++ ask(World, events) ++
        views(World),
    [Lines | steps(N + 1, Rest, World)].

ask(#{rec := Rec}, Request) -> recorder:ask(Rec, Request).

find(Id, World) -> ask(World, {find, Id}).

step({do, Id, Op}, World) ->
    Client = case find(Id, World) of
        none -> client:start(Id, Id =/= c3, World);
        Pid -> Pid
    end,
    case busy(Client, World) =/= false orelse not may(Id, Client, Op, World) of
        true -> ["busy"];
        false ->
            {Time, Ticking} = case patience(Op, World) of
                true -> {hurry(Op), true};
                false -> {infinity, ticks(Op)}
            end,
            ask(World, {flag, Client, #{busy => element(1, Op), ticking => Ticking}}),
            Client ! {do, Op, Time},
            []
    end;
step({release, Id}, World) ->
    case find(Id, World) of
        none -> ["none"];
        Pid -> [atom_to_list(ask(World, {release, Pid}))]
    end;
step({exit, {_, Id}, Why}, World) ->
    touch(Id, World, fun(Pid) -> exit(Pid, server:exit_reason(Why)), is_process_alive(Pid) end,
        fun(Busy) -> Busy =:= sys orelse Busy =:= reply end);
step({finish, {_, Id}, Why}, World) ->
    touch(Id, World, fun(Pid) -> Pid ! {finish, Why} end, fun(Busy) -> Busy =/= false end).

touch(Id, World, Fun, Spared) ->
    case find(Id, World) of
        none -> ["none"];
        Pid ->
            case Spared(busy(Pid, World)) of
                true -> ["busy"];
                false -> Fun(Pid), []
            end
    end.

busy(Pid, World) -> maps:get(busy, ask(World, {flags, Pid}), false).

%% A client that does not trap exits must not be ended while something else that it does may
%% be seen or not, nor leave a request behind that nobody knows of.
may(c3, _, {start, _, monitor, _, _, _}, _) -> false;
may(c3, Pid, Op, _) when element(1, Op) =:= sys; element(1, Op) =:= reply; element(3, Op) =:= link ->
    {links, []} =:= process_info(Pid, links);
may(_, _, _, _) -> true.

%% Whether it gives up soon: only if it is sure that nothing comes before.
patience({start, _, _, _, true, {plan, _, {script, [gate | _], _}, _, _, _}}, _) -> true;
patience({call, To, {message, _, Script}, true}, World) ->
    client:stuck(whois(To, World), World) orelse client:silent(Script);
patience({multi_call, Ids, _}, World) ->
    lists:all(fun(Id) ->
        Pid = whois({name, Id}, World),
        Pid =:= undefined orelse client:stuck(Pid, World)
    end, Ids);
patience({stop, To, _, true}, World) ->
    case whois(To, World) of
        Pid when is_pid(Pid) ->
            Flags = ask(World, {flags, Pid}),
            lists:any(fun(F) -> maps:get(F, Flags, false) end, [gated, asking, gated_end]);
        _ -> false
    end;
patience(_, _) -> false.

%% The new process, or the one that asks for the stop, must be on its way by then.
hurry(Op) when element(1, Op) =:= start; element(1, Op) =:= stop -> 100;
hurry(_) -> server:millis(soon).

ticks({response, _, Look}) -> ticks(Look);
ticks({any, Look, _}) -> ticks(Look);
ticks({_, Time}) -> Time =:= zero orelse Time =:= soon;
ticks(_) -> false.

whois(To, World) ->
    case server:reach(To, World) of
        Name when is_atom(Name), Name =/= none -> whereis(Name);
        Pid -> Pid
    end.

%% Nothing moves: in two rounds, one after the other, nobody has told anything, everybody waits and
%% has heard of all ends, and no time is running that will be over soon.
quiet(_, 2, _) -> ok;
quiet(World, Rounds, Last) ->
    {Count, Live, Dead} = ask(World, census),
    Known = maps:from_list([{Pid, true} || {_, Pid} <- Live]),
    Still = (Last =:= none orelse Last =:= Count) andalso
        lists:all(fun({_, Pid}) -> still(Pid, Known, Dead, World) end, Live),
    {After, _, _} = ask(World, census),
    case Still andalso After =:= Count of
        true -> quiet(World, Rounds + 1, Count);
        false -> rest(Live, World), quiet(World, 0, none)
    end.

%% Until something else may have happened: a timer is not hastened by looking at it.
rest(Live, World) ->
    Ticking = fun({_, Pid}) -> maps:get(ticking, ask(World, {flags, Pid}), false) end,
    case lists:any(Ticking, Live) of
        true -> timer:sleep(1);
        false -> erlang:yield()
    end.

still(Pid, Known, Dead, World) ->
    Flags = ask(World, {flags, Pid}),
    Is = fun(Flag) -> maps:get(Flag, Flags, false) end,
    not Is(ticking) andalso (not Is(armed) orelse Is(suspended)) andalso
        waits(Pid, Known, Dead, World).

waits(Pid, Known, Dead, World = #{rec := Rec}) ->
    case process_info(Pid, [status, links, monitors]) of
        [{status, waiting}, {links, Links}, {monitors, Monitors}] ->
            Others = Links ++ [case Whom of {Name, _} -> whereis(Name); _ -> Whom end
                || {process, Whom} <- Monitors],
            lists:all(fun(Other) ->
                case {Known, Dead} of
                    {#{Other := _}, _} -> true;
                    {_, #{Other := _}} -> false;
                    _ when Other =:= Rec; Other =:= self() -> true;
                    _ when is_pid(Other) ->
                        %% Somebody who helps, or is not born yet.
                        waits(Other, Known#{Other => true}, Dead, World);
                    _ -> false
                end
            end, Others);
        _ -> false
    end.

%% How the servers wait.
views(World) ->
    {_, Live, _} = ask(World, census),
    [["  wait ", Name, " queue ", integer_to_list(Length), Sleeps] ||
        {Name = [First, $# | _], Pid} <- Live, lists:member(First, "abc"),
        [{message_queue_len, Length}, {current_function, Function}] <-
            [process_info(Pid, [message_queue_len, current_function])],
        Sleeps <- [case Function of {erlang, hibernate, 3} -> " hibernates"; _ -> "" end],
        Length > 0 orelse Sleeps =/= ""].
