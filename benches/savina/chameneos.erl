%% Creatures ask a mall for a partner, meet, change colour and ask again.
-module(chameneos).
-export([run/3]).

run(Actors, Count, _) ->
    Mall = self(),
    savina:timed(fun() ->
        [spawn_link(fun() -> creature(element(Index rem 3 + 1, {blue, red, yellow}), 0, Mall) end)
         || Index <- lists:seq(0, Actors - 1)],
        mall(none, Count, Actors, 0)
    end).

mall(_, _, 0, Met) -> Met;
mall(Waits, Left, Alive, Met) ->
    receive
        {meet, _, Creature} when Left =:= 0 -> Creature ! exit, mall(Waits, Left, Alive, Met);
        {meet, _, Creature} when Waits =:= none -> mall(Creature, Left, Alive, Met);
        {meet, _, _} = Meet -> Waits ! Meet, mall(none, Left - 1, Alive, Met);
        {met, Times} -> mall(Waits, Left, Alive - 1, Met + Times)
    end.

creature(Colour, Met, Mall) ->
    Mall ! {meet, Colour, self()},
    receive
        {meet, Other, Creature} ->
            Both = complement(Colour, Other),
            Creature ! {change, Both},
            creature(Both, Met + 1, Mall);
        {change, Both} -> creature(Both, Met + 1, Mall);
        exit -> Mall ! {met, Met}
    end.

complement(Colour, Colour) -> Colour;
complement(blue, red) -> yellow;
complement(blue, yellow) -> red;
complement(red, blue) -> yellow;
complement(red, yellow) -> blue;
complement(yellow, blue) -> red;
complement(yellow, red) -> blue.
