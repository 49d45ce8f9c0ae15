% [difference] A supervisor gives up with shutdown just before it would see that it shall stop
% with shutdown.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {one_for_one,0,never},
  [{worker,a,[{restart,permanent},{shutdown,30000},{significant,false},{start,ok},{trap,true},{unlinks,false},{stop,same}]}]},
 [{hold,{root,0},[{crash,{a,0},boom},{stop,{root,0},shutdown}]}]}.
