%% The echo server: a process for each connection, until standard input ends. Sockets are active,
%% which is the quickest that the BEAM has; the load never has more than one request under way.
-module(bench_echo).
-export([serve/0]).

serve() ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {active, false}, {nodelay, true},
                                        {ip, {127, 0, 0, 1}}, {backlog, 1024}]),
    {ok, Port} = inet:port(Listener),
    spawn(fun() -> accept(Listener) end),
    io:format("tcp-echo listening 127.0.0.1:~b~n", [Port]),
    until_eof(),
    halt(0).

until_eof() ->
    case io:get_line("") of
        eof -> ok;
        {error, _} -> ok;
        _ -> until_eof()
    end.

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Echo = spawn(fun() -> receive go -> ok = inet:setopts(Socket, [{active, true}]), echo(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Echo),
    Echo ! go,
    accept(Listener).

echo(Socket) ->
    receive
        {tcp, Socket, Bytes} -> ok = gen_tcp:send(Socket, Bytes), echo(Socket);
        {tcp_closed, Socket} -> ok;
        {tcp_error, Socket, _} -> ok
    end.
