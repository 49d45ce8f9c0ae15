%% The recorder of a story of servers: every process tells it what it does and waits for its
%% answer, and it knows who waits for what.
-module(server_recorder).
-export([start_link/0, reason/1]).

start_link() -> spawn_link(fun() -> record(new()) end).

%% names: Pid => text; latest: Id => Pid; live: Pid => monitor; dead: Pid => reason; gates: Pid => who
%% waits there; flags: Pid => what is known of it (busy, ticking, armed, asking, suspended, ...);
%% events, the latest first: {Pid, Line}; count: of everything that was told.
new() ->
    #{births => #{}, names => #{}, latest => #{}, live => #{}, dead => #{}, gates => #{},
      flags => #{}, events => [], count => 0}.

record(S = #{gates := Gates, count := Count}) ->
    receive
        {Ref, From, {gate, Pid}} ->
            record(S#{gates := Gates#{Pid => {Ref, From}}, count := Count + 1});
        {Ref, From, Request} ->
            {Answer, Next} = recorded(Request, flush(S)),
            From ! {Ref, Answer},
            record(Next)
    end.

flush(S = #{live := Live}) ->
    Dead = [D || D = {Pid, _} <- maps:to_list(Live), not is_process_alive(Pid)],
    lists:foldl(fun({Pid, Ref}, Acc = #{live := L, dead := D, gates := G}) ->
        receive
            {'DOWN', Ref, process, Pid, Reason} ->
                event(Pid, ["down ", reason(Reason)],
                    Acc#{live := maps:remove(Pid, L), dead := D#{Pid => Reason},
                         gates := maps:remove(Pid, G)})
        end
    end, S, Dead).

event(Pid, Parts, S = #{events := Events, count := Count}) ->
    S#{events := [{Pid, text(Parts, S)} | Events], count := Count + 1}.

flag(Pid, New, S = #{flags := Flags, count := Count}) ->
    S#{flags := Flags#{Pid => maps:merge(maps:get(Pid, Flags, #{}), New)}, count := Count + 1}.

recorded({born, Id, Pid, Flags}, S) ->
    #{births := Births, names := Names, latest := Latest, live := Live} = S,
    N = maps:get(Id, Births, 0) + 1,
    Name = atom_to_list(Id) ++ "#" ++ integer_to_list(N),
    {ok, flag(Pid, Flags, S#{births := Births#{Id => N}, names := Names#{Pid => Name},
        latest := Latest#{Id => Pid}, live := Live#{Pid => monitor(process, Pid)}})};
recorded({event, Pid, Parts}, S) ->
    {ok, flag(Pid, #{armed => false, asking => false}, event(Pid, Parts, S))};
recorded({result, Pid, Parts, Flags}, S) ->
    Next = event(Pid, ["result ", Parts], S),
    {ok, maps:fold(fun flag/3, flag(Pid, #{busy => false, ticking => false}, Next), Flags)};
recorded({flag, Pid, Flags}, S) -> {ok, flag(Pid, Flags, S)};
recorded({flags, Pid}, S = #{flags := Flags, gates := Gates}) ->
    {(maps:get(Pid, Flags, #{}))#{gated => is_map_key(Pid, Gates)}, S};
recorded({release, Pid}, S = #{gates := Gates, count := Count}) ->
    case Gates of
        #{Pid := {Ref, From}} ->
            From ! {Ref, ok},
            {released, S#{gates := maps:remove(Pid, Gates), count := Count + 1}};
        _ -> {none, S}
    end;
recorded({latest, Id}, S = #{latest := Latest}) -> {maps:get(Id, Latest, none), S};
recorded({find, Id}, S = #{latest := Latest, live := Live}) ->
    Pid = maps:get(Id, Latest, none),
    {case is_map_key(Pid, Live) of true -> Pid; false -> none end, S};
recorded(census, S = #{live := Live, dead := Dead, names := Names, count := Count}) ->
    {{Count, lists:sort([{maps:get(Pid, Names), Pid} || Pid <- maps:keys(Live)]), Dead}, S};
recorded(events, S = #{events := Events, names := Names}) ->
    {lines(lists:reverse(Events), Names), S#{events := []}}.

%% Each process in its order; there is none among them, since they run at the same time. Nor is there
%% one among the ends of others that a process hears of.
lines(Events, Names) ->
    Pids = lists:usort([Pid || {Pid, _} <- Events]),
    Named = lists:sort([{maps:get(Pid, Names), Pid} || Pid <- Pids]),
    [["  ", Name, " ", Line] || {Name, Pid} <- Named,
        Line <- told(Name, runs([L || {P, L} <- Events, P =:= Pid], []))].

%% The third client does not trap exits: whether it still gets to tell something is luck.
told("c3#" ++ _, Lines) ->
    case [Down || Down = "down " ++ _ <- Lines] of
        [] -> Lines;
        Ends -> Ends
    end;
told(_, Lines) -> Lines.

runs(["heard " ++ _ = L | Rest], Heard) -> runs(Rest, [L | Heard]);
runs([L | Rest], Heard) -> lists:sort(Heard) ++ [L | runs(Rest, [])];
runs([], Heard) -> lists:sort(Heard).

text(Parts, S) -> lists:flatten(part(Parts, S)).

part({who, Pid}, #{names := Names}) -> maps:get(Pid, Names, "stranger");
part({why, Reason}, _) -> reason(Reason);
part({n, N}, _) -> integer_to_list(N);
part([First | Rest], S) -> [part(First, S) | part(Rest, S)];
part(Char, _) -> Char.

reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
%% [difference] In Erlang it looks like {shutdown, Term}, as if this were no failure.
reason({shutdown, {gen_server, call, _}}) -> ["call(", reason(shutdown), ")"];
reason({shutdown, What}) -> ["shutdown(", reason(What), ")"];
reason({crashed, Stack}) when is_list(Stack) -> "panic";
reason({Why, {gen_server, call, _}}) -> ["call(", reason(Why), ")"];
reason(Other) -> io_lib:format("~0p", [Other]).
