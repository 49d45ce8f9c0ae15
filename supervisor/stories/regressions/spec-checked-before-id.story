% start_child with a spec that is wrong and an id that is taken: the spec is what is wrong.
% (We said already_started.)
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {one_for_one,0,never},
  [{worker,d,[{restart,permanent},{shutdown,30000},{significant,false},{start,ok},{trap,true},{unlinks,false},{stop,same}]}]},
 [{start_child,{root,0},
   {worker,d,[{restart,permanent},{shutdown,30000},{significant,true},{start,ok},
              {trap,true},{unlinks,false},{stop,same}]}}]}.
