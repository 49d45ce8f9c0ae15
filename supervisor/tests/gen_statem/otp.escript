#!/usr/bin/env escript
%% Runs programs for a state machine, one after the other, and prints what each event was and in
%% which state it came: a line for each program. A program is what `otp.rs` writes:
%%
%%     {Enter, Messages, InitActions, Steps, EnterSteps}.
%%
%% The machine sends itself the messages in `init`. Each event takes the next step: where to go,
%% and the actions, which are gen_statem's own.
-mode(compile).
-behaviour(gen_statem).
-export([init/1, callback_mode/0, handle_event/4, terminate/3]).

main([File]) ->
    process_flag(trap_exit, true),
    logger:set_primary_config(level, none),
    {ok, Programs} = file:consult(File),
    lists:foreach(fun run/1, Programs).

run(Program) ->
    put_program(Program),
    {ok, Pid} = gen_statem:start_link(?MODULE, {self(), Program}, []),
    receive {trace, Pid, Trace} -> io:format("~s~n", [lists:join(" ", lists:reverse(Trace))]) end,
    receive {'EXIT', Pid, _} -> ok end.

%% The callback mode cannot depend on the argument of `init`.
put_program({Enter, _, _, _, _}) -> persistent_term:put(enter, Enter).

callback_mode() ->
    case persistent_term:get(enter) of
        true -> [handle_event_function, state_enter];
        false -> handle_event_function
    end.

init({Test, {_, Messages, Actions, Steps, Enters}}) ->
    [gen_statem:cast(self(), N) || N <- lists:seq(1, Messages)],
    gen_statem:cast(self(), stop),
    {ok, 0, {Test, [], Steps, Enters}, Actions}.

handle_event(enter, Old, State, {Test, Trace, Steps, Enters}) ->
    Seen = [io_lib:format(">~b~b", [Old, State]) | Trace],
    case Enters of
        [] -> {keep_state, {Test, Seen, Steps, []}};
        [Actions | Rest] -> {keep_state, {Test, Seen, Steps, Rest}, Actions}
    end;
handle_event(cast, stop, _, _) ->
    {stop, normal};
handle_event(Type, Content, State, {Test, Trace, Steps, Enters}) ->
    Seen = [io_lib:format("~s~b@~b", [shown(Type), Content, State]) | Trace],
    case Steps of
        [] -> {keep_state, {Test, Seen, [], Enters}};
        [{Go, Actions} | Rest] ->
            Data = {Test, Seen, Rest, Enters},
            case Go of
                keep -> {keep_state, Data, Actions};
                repeat -> {repeat_state, Data, Actions};
                Next -> {next_state, Next, Data, Actions}
            end
    end.

terminate(_, _, {Test, Trace, _, _}) ->
    Test ! {trace, self(), Trace}.

shown(cast) -> "m";
shown(internal) -> "i";
shown(timeout) -> "e";
shown(state_timeout) -> "s";
shown({timeout, Name}) -> io_lib:format("t~b:", [Name]).
