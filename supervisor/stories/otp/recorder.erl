%% The recorder: everything that happens in a tree is told to it, and waits for its answer, so
%% that its order is the order in which things have happened.
-module(recorder).
-export([start_link/0, ask/2, reason/1]).

start_link() -> spawn_link(fun() -> record(new()) end).

ask(Recorder, Request) ->
    Ref = monitor(process, Recorder),
    Recorder ! {Ref, self(), Request},
    receive
        {Ref, Answer} -> demonitor(Ref, [flush]), Answer;
        {'DOWN', Ref, _, _, _} -> exit(no_recorder)
    end.

%% procs: Pid => {Id, Incarnation, Type, Kind, Parent}; live: Pid => monitor; dead: Pid => Reason;
%% events, the latest first: {attempt, Id, N} | {born | up | stop | down, Pid, Reason};
%% ups: the supervisors whose start is over.
new() ->
    #{attempts => #{}, births => #{}, procs => #{}, live => #{}, dead => #{}, gates => #{},
      ups => #{}, events => [], reports => [], count => 0}.

record(S) ->
    receive
        {Ref, From, {gate, Pid}} ->
            record(S#{gates := maps:put(Pid, {Ref, From}, maps:get(gates, S))});
        {Ref, From, Request} ->
            %% Whoever has died before this request was made has died before what it tells.
            {Answer, Next} = recorded(Request, flush(S)),
            From ! {Ref, Answer},
            record(Next)
    end.

flush(S = #{live := Live}) ->
    Dead = [D || D = {Pid, _} <- maps:to_list(Live), not is_process_alive(Pid)],
    lists:foldl(fun({Pid, Ref}, Acc = #{live := L, dead := D}) ->
        receive
            {'DOWN', Ref, process, Pid, Reason} ->
                event({down, Pid, Reason},
                    Acc#{live := maps:remove(Pid, L), dead := D#{Pid => Reason}})
        end
    end, S, Dead).

event(Event, S = #{events := Events, count := Count}) ->
    S#{events := [Event | Events], count := Count + 1}.

recorded({attempt, Id}, S = #{attempts := Attempts}) ->
    N = maps:get(Id, Attempts, 0) + 1,
    {N, event({attempt, Id, N}, S#{attempts := Attempts#{Id => N}})};
recorded({born, Id, Pid, Parent, Type, Kind}, S) ->
    #{births := Births, procs := Procs, live := Live} = S,
    N = maps:get(Id, Births, 0) + 1,
    Next = S#{births := Births#{Id => N}, procs := Procs#{Pid => {Id, N, Type, Kind, Parent}},
              live := Live#{Pid => monitor(process, Pid)}},
    {N, event({born, Pid, none}, Next)};
recorded({up, Pid}, S = #{ups := Ups}) -> {ok, event({up, Pid, none}, S#{ups := Ups#{Pid => up}})};
recorded({stop, Pid, Reason}, S) -> {ok, event({stop, Pid, Reason}, S)};
recorded(flush, S = #{live := Live, dead := Dead, procs := Procs, count := Count}) ->
    Named = lists:sort([begin
        {Id, N, Type, Kind, _} = maps:get(Pid, Procs), {{Id, N}, {Pid, Type, Kind}}
    end || Pid <- maps:keys(Live)]),
    {{Count, [P || {_, P} <- Named], Dead}, S};
recorded({is_held, Pid}, S = #{gates := Gates}) -> {is_map_key(Pid, Gates), S};
recorded({release, Pid}, S = #{gates := Gates}) ->
    case Gates of
        #{Pid := {Ref, From}} -> From ! {Ref, ok};
        _ -> ok
    end,
    {ok, S#{gates := maps:remove(Pid, Gates)}};
recorded({find, {Id, N}}, S = #{procs := Procs, live := Live}) ->
    Found = lists:sort([{I, Pid, Type, Kind} ||
        {Pid, {D, I, Type, Kind, _}} <- maps:to_list(Procs),
        D =:= Id, is_map_key(Pid, Live), N =:= 0 orelse N =:= I]),
    case lists:reverse(Found) of
        [] -> {none, S};
        [{_, Pid, Type, Kind} | _] -> {{Pid, Type, Kind}, S}
    end;
recorded({pid, Id, N}, S = #{procs := Procs, births := Births}) ->
    Wanted = case N of 0 -> maps:get(Id, Births, 0); _ -> N end,
    case [Pid || {Pid, {D, I, _, _, _}} <- maps:to_list(Procs), D =:= Id, I =:= Wanted] of
        [] -> {none, S};
        [Pid] -> {Pid, S}
    end;
recorded({name, Pid}, S) -> {text(Pid, S), S};
recorded({report, Pid, Context, Offender, Reason}, S = #{reports := Reports}) ->
    {ok, S#{reports := [{Pid, Context, maps:from_list(Offender), Reason} | Reports]}};
recorded(events, S = #{events := Events, reports := Reports}) ->
    Lines = canonical(lists:reverse(Events), S) ++ reports(lists:reverse(Reports), S),
    {Lines, S#{events := [], reports := []}}.

%% In the order of each supervisor; there is none among them, nor with what has happened.
reports(Reports, S = #{procs := Procs}) ->
    Lines = [{text(Pid, S), report(Context, Offender, Reason, S)} ||
        {Pid, Context, Offender, Reason} <- Reports,
        %% [difference] OTP reports once for all instances that it has stopped.
        not (Context =:= shutdown_error andalso is_map_key(Pid, Procs) andalso
            element(4, maps:get(Pid, Procs)) =:= simple_one_for_one)],
    [["  report ", Name, " ", Text] || {Name, Text} <- lists:keysort(1, Lines)].

report(shutdown, #{id := Id}, _, _) -> ["shutdown ", atom_to_list(Id)];
report(start_error, #{id := Id}, Reason, _) -> ["start_error ", atom_to_list(Id), " ", reason(Reason)];
report(Context, Offender = #{id := Id}, Reason, S = #{procs := Procs}) ->
    Child = case Offender of
        #{pid := Pid} when is_map_key(Pid, Procs) -> text(Pid, S);
        _ -> atom_to_list(Id)
    end,
    [atom_to_list(Context), " ", Child, " ", reason(Reason)].

text(Pid, #{procs := Procs}) ->
    case Procs of
        #{Pid := {Id, N, _, _, _}} -> atom_to_list(Id) ++ "#" ++ integer_to_list(N);
        _ -> "unknown"
    end.

%% Everything in its order, but for what OTP leaves open: ends that no report lies between, and
%% the ends of processes whose supervisor has been killed or stops all its children at once.
canonical(Events, S) ->
    {Free, Ordered} = lists:partition(fun(E) -> is_free(E, S) end, Events),
    [["  ", L] || L <- runs(Ordered, [], S)] ++
        [["  free ", L] || L <- lists:sort([line(E, S) || E <- Free])].

is_free({attempt, _, _}, _) -> false;
is_free({born, _, _}, _) -> false;
is_free({up, _, _}, _) -> false;
is_free({_, Pid, _}, S) -> has_not_started(Pid, S) orelse below_free(Pid, S).

%% [difference] Before OTP 26 nobody waits for the end of what did not start.
has_not_started(Pid, #{procs := Procs, ups := Ups}) ->
    element(3, maps:get(Pid, Procs)) =:= supervisor andalso not is_map_key(Pid, Ups).

below_free(Pid, S = #{procs := Procs, dead := Dead}) ->
    case Procs of
        #{Pid := {_, _, _, _, Parent}} ->
            case Procs of
                #{Parent := {_, _, _, simple_one_for_one, _}} -> true;
                _ -> maps:get(Parent, Dead, none) =:= killed orelse below_free(Parent, S)
            end;
        _ -> false
    end.

runs([E = {down, _, _} | Rest], Downs, S) -> runs(Rest, [line(E, S) | Downs], S);
runs([E | Rest], Downs, S) -> lists:sort(Downs) ++ [line(E, S) | runs(Rest, [], S)];
runs([], Downs, _) -> lists:sort(Downs).

line({attempt, Id, N}, _) -> lists:flatten(io_lib:format("try ~s ~b", [Id, N]));
line({up, Pid, _}, S) -> lists:flatten(["up ", text(Pid, S)]);
line({born, Pid, _}, S) -> lists:flatten(["born ", text(Pid, S)]);
line({What, Pid, Reason}, S) ->
    lists:flatten([atom_to_list(What), " ", text(Pid, S), " ", reason(Reason)]).

reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
reason({shutdown, {failed_to_start_child, Id, Reason}}) ->
    ["shutdown(failed(", atom_to_list(Id), ",", reason(Reason), "))"];
reason({shutdown, What}) -> ["shutdown(", reason(What), ")"];
reason({'EXIT', Reason}) -> reason(Reason);
reason({panicked, Stack}) when is_list(Stack) -> "panic";
reason({start_spec, What}) -> reason(What);
reason({duplicate_child_name, Id}) -> ["duplicate_id(", atom_to_list(Id), ")"];
reason({bad_combination, [{auto_shutdown, never} | _]}) -> "significant_without_auto_shutdown";
reason({bad_combination, [{restart, permanent} | _]}) -> "significant_permanent";
reason({already_started, _}) -> "already_started";
reason(Other) -> io_lib:format("~0p", [Other]).
