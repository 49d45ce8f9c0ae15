%% A teller has money moved between accounts; each asks the other and waits before its next transaction.
-module(bank_transaction).
-export([run/3]).

-define(INITIAL_BALANCE, 1000000000).

run(Actors, Count, _) ->
    Root = self(),
    savina:timed(fun() ->
        Pids = [spawn_link(fun() -> account(Index, ?INITIAL_BALANCE) end) || Index <- lists:seq(0, Actors - 1)],
        credit(Count, list_to_tuple(Pids), savina:random(123456)),
        completed(Count),
        [Pid ! {stop, Root} || Pid <- Pids],
        savina:gather(Actors)
    end).

%% Money goes to accounts with a higher number only, so that no two wait for each other.
credit(0, _, _) -> ok;
credit(Left, Accounts, Random) ->
    Actors = tuple_size(Accounts),
    {From, Second} = savina:below(Random, max(1, Actors div 10 * 8)),
    {Distance, Third} = savina:below(Second, Actors - From),
    {Amount, Next} = savina:below(Third, 1000),
    To = From + max(1, Distance),
    element(From + 1, Accounts) ! {credit, Amount + 1, element(To + 1, Accounts), self()},
    credit(Left - 1, Accounts, Next).

completed(0) -> ok;
completed(Left) -> receive completed -> completed(Left - 1) end.

%% Reports its balance, weighted so that no two accounts can be taken for each other.
account(Index, Balance) ->
    receive
        {credit, Amount, Recipient, Teller} ->
            Ref = make_ref(),
            Recipient ! {debit, Amount, self(), Ref},
            receive Ref -> Teller ! completed end,
            account(Index, Balance - Amount);
        {debit, Amount, From, Ref} ->
            From ! Ref,
            account(Index, Balance + Amount);
        {stop, Root} -> Root ! {report, Balance * (Index + 1)}
    end.
