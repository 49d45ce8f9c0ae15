%% Numbers run through a chain of filters, each of which knows some primes and grows the next.
-module(sieve).
-export([run/3]).

run(_, Count, Room) ->
    Root = self(),
    savina:timed(fun() ->
        First = filter(2, Room, Root),
        send(3, Count, First),
        First ! {exit, 0},
        savina:gather(1)
    end).

%% 2 is known, and the even ones are not worth sending.
send(Number, Limit, _) when Number >= Limit -> ok;
send(Number, Limit, First) -> First ! {candidate, Number}, send(Number + 2, Limit, First).

filter(Prime, Room, Root) -> spawn_link(fun() -> filter([Prime], 1, Room, none, Root) end).

%% The smallest primes first, since they divide the most.
filter(Primes, Length, Room, Next, Root) ->
    receive
        {candidate, Number} = Candidate ->
            case divides(Primes, Number) of
                true -> filter(Primes, Length, Room, Next, Root);
                false when is_pid(Next) -> Next ! Candidate, filter(Primes, Length, Room, Next, Root);
                false when Length < Room -> filter(Primes ++ [Number], Length + 1, Room, Next, Root);
                false -> filter(Primes, Length, Room, filter(Number, Room, Root), Root)
            end;
        {exit, Sum} when is_pid(Next) -> Next ! {exit, Sum + lists:sum(Primes)};
        {exit, Sum} -> Root ! {report, Sum + lists:sum(Primes)}
    end.

divides([], _) -> false;
divides([Prime | _], Number) when Number rem Prime =:= 0 -> true;
divides([_ | Primes], Number) -> divides(Primes, Number).
