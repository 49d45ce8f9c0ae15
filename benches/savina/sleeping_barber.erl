%% Customers enter a waiting room, or come again when it is full; a barber serves them one by one.
-module(sleeping_barber).
-export([run/3]).

-define(RATE, 1000).

run(_, Count, Seats) ->
    Root = self(),
    savina:timed(fun() ->
        Barber = spawn_link(fun() -> receive {room, Room} -> barber(Room, savina:random(2), 0, Root) end end),
        Room = spawn_link(fun() -> waiting_room(queue:new(), 0, Seats, true, Barber) end),
        Barber ! {room, Room},
        make(1, Count, savina:random(1), Room),
        serve(Count, Room),
        Room ! exit,
        savina:gather(1)
    end).

%% This process is the factory of customers.
make(Number, Count, _, _) when Number > Count -> ok;
make(Number, Count, Random, Room) ->
    Factory = self(),
    Customer = spawn(fun() -> customer(Number, false, Factory) end),
    Room ! {enter, Customer, Number},
    {Turns, Next} = savina:below(Random, ?RATE),
    savina:busy(Turns + 10),
    make(Number + 1, Count, Next, Room).

serve(0, _) -> ok;
serve(Left, Room) ->
    receive
        {returned, Customer, Number} -> Room ! {enter, Customer, Number}, serve(Left, Room);
        done -> serve(Left - 1, Room)
    end.

waiting_room(Waiting, Length, Seats, Asleep, Barber) ->
    receive
        {enter, Customer, _} when Length =:= Seats ->
            Customer ! full,
            waiting_room(Waiting, Length, Seats, Asleep, Barber);
        {enter, Customer, _} = Enter ->
            case Asleep of
                true -> self() ! next;
                false -> Customer ! wait
            end,
            waiting_room(queue:in(Enter, Waiting), Length + 1, Seats, false, Barber);
        next when Length =:= 0 ->
            Barber ! wait,
            waiting_room(Waiting, Length, Seats, true, Barber);
        next ->
            {{value, Enter}, Rest} = queue:out(Waiting),
            Barber ! Enter,
            waiting_room(Rest, Length - 1, Seats, Asleep, Barber);
        exit -> Barber ! exit
    end.

%% Reports the sum of the numbers of whom it has served.
barber(Room, Random, Served, Root) ->
    receive
        {enter, Customer, Number} ->
            Customer ! start,
            {Turns, Next} = savina:below(Random, ?RATE),
            savina:busy(Turns + 10),
            Customer ! done,
            Room ! next,
            barber(Room, Next, Served + Number, Root);
        wait -> barber(Room, Random, Served, Root);
        exit -> Root ! {report, Served}
    end.

customer(Number, Started, Factory) ->
    receive
        full -> Factory ! {returned, self(), Number}, customer(Number, Started, Factory);
        wait -> customer(Number, Started, Factory);
        start -> customer(Number, true, Factory);
        done -> true = Started, Factory ! done
    end.
