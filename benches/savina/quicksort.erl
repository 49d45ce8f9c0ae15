%% An actor splits its numbers at a pivot and has two others sort the parts, down to small ones.
-module(quicksort).
-export([run/3]).

-define(SEED, 1024).

run(_, Count, Room) ->
    Data = numbers(Count, savina:random(?SEED)),
    Root = self(),
    {Nanos, Sorted} = savina:timed(fun() ->
        spawn_link(fun() -> sort(Data, Count, Room, left, Root) end),
        receive {left, Sorted} -> Sorted end
    end),
    {Nanos, checksum(Sorted)}.

%% Below 2^58: one word each.
numbers(0, _) -> [];
numbers(Left, Random) ->
    High = savina:next(Random),
    {Low, Next} = savina:below(High, 1 bsl 27),
    [(High bsl 27) + Low | numbers(Left - 1, Next)].

sort(Data, Length, Room, Side, Parent) when Length =< Room -> Parent ! {Side, lists:sort(Data)};
sort(Data, Length, Room, Side, Parent) ->
    Pivot = lists:nth(Length div 2 + 1, Data),
    {Left, LeftLength, Equal, Right, RightLength} = split(Data, Pivot, [], 0, [], [], 0),
    This = self(),
    spawn_link(fun() -> sort(Left, LeftLength, Room, left, This) end),
    spawn_link(fun() -> sort(Right, RightLength, Room, right, This) end),
    %% In this order: the left part is the one that is walked along.
    SortedRight = receive {right, R} -> R end,
    SortedLeft = receive {left, L} -> L end,
    Parent ! {Side, SortedLeft ++ Equal ++ SortedRight}.

split([], _, Left, LeftLength, Equal, Right, RightLength) -> {Left, LeftLength, Equal, Right, RightLength};
split([Number | Data], Pivot, Left, LeftLength, Equal, Right, RightLength) when Number < Pivot ->
    split(Data, Pivot, [Number | Left], LeftLength + 1, Equal, Right, RightLength);
split([Number | Data], Pivot, Left, LeftLength, Equal, Right, RightLength) when Number > Pivot ->
    split(Data, Pivot, Left, LeftLength, Equal, [Number | Right], RightLength + 1);
split([Number | Data], Pivot, Left, LeftLength, Equal, Right, RightLength) ->
    split(Data, Pivot, Left, LeftLength, [Number | Equal], Right, RightLength).

checksum(Data) ->
    lists:foldl(fun(Number, Sum) -> (Sum * 31 + Number rem 1000003) rem 1000000007 end, 0, Data).
