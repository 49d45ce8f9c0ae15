%% Producers and consumers around a bounded buffer; its manager tells a producer when there is room.
-module(producer_consumer).
-export([run/3]).

-record(manager, {consumers, room, mark, idle, held = queue:new(), pending = queue:new(), length = 0,
                  next = #{}, producing}).

run(Actors, Count, Room) ->
    Root = self(),
    Numbers = lists:seq(0, Actors - 1),
    savina:timed(fun() ->
        Consumers = [spawn_link(fun() -> consumer(Count, Root, 0.0, 0) end) || _ <- Numbers],
        [spawn_link(fun() -> producer(Index, 0, Count, Root, 0.0) end) ! produce || Index <- Numbers],
        manage(#manager{consumers = Actors, room = Room, mark = max(1, Room - Actors),
                        idle = queue:from_list(Consumers), producing = Actors}, Actors),
        [Consumer ! exit || Consumer <- Consumers],
        savina:gather(Actors)
    end).

%% The second argument is the number of consumers that are idle.
manage(#manager{producing = 0, consumers = Idle}, Idle) -> ok;
manage(#manager{producing = Producing} = M, Idle) ->
    receive
        {item, {Producer, Number, _} = Item, From} ->
            Number = maps:get(Producer, M#manager.next, 0),
            Next = (M#manager.next)#{Producer => Number + 1},
            {M1, Idle1} = give(Item, M#manager{next = Next}, Idle),
            true = M1#manager.length =< M1#manager.room,
            manage(hold(From, M1), Idle1);
        {available, Consumer} -> available(Consumer, M, Idle);
        producer_exit -> manage(M#manager{producing = Producing - 1}, Idle)
    end.

give(Item, M, 0) ->
    {M#manager{pending = queue:in(Item, M#manager.pending), length = M#manager.length + 1}, 0};
give(Item, M, Idle) ->
    {{value, Consumer}, Rest} = queue:out(M#manager.idle),
    Consumer ! {item, Item},
    {M#manager{idle = Rest}, Idle - 1}.

hold(Producer, #manager{length = Length, mark = Mark} = M) when Length >= Mark ->
    M#manager{held = queue:in(Producer, M#manager.held)};
hold(Producer, M) -> Producer ! produce, M.

available(Consumer, #manager{length = 0} = M, Idle) ->
    manage(M#manager{idle = queue:in(Consumer, M#manager.idle)}, Idle + 1);
available(Consumer, M, Idle) ->
    {{value, Item}, Pending} = queue:out(M#manager.pending),
    Consumer ! {item, Item},
    Held = case queue:out(M#manager.held) of
        {{value, Producer}, Rest} -> Producer ! produce, Rest;
        {empty, Rest} -> Rest
    end,
    manage(M#manager{pending = Pending, length = M#manager.length - 1, held = Held}, Idle).

producer(_, Count, Count, Manager, _) -> receive produce -> Manager ! producer_exit end;
producer(Index, Number, Count, Manager, Data) ->
    receive produce ->
        Next = savina:process_item(Data),
        Manager ! {item, {Index, Number, Next}, self()},
        producer(Index, Number + 1, Count, Manager, Next)
    end.

consumer(Count, Manager, Used, Sum) ->
    receive
        {item, {Producer, Number, Data}} ->
            Next = savina:process_item(Used + Data),
            Manager ! {available, self()},
            consumer(Count, Manager, Next, Sum + Producer * Count + Number);
        exit -> Manager ! {report, Sum}
    end.
