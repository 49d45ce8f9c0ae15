% [difference] An instance is terminated twice.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {simple_one_for_one,0,never},
  [{worker,a,[{restart,permanent},{shutdown,30000},{significant,false},{start,ok},{trap,true},{unlinks,false},{stop,same}]}]},
 [{start_child,{root,0},instance},
  {start_child,{root,0},instance},
  {hold,{root,0},[{terminate_child,{root,0},{a,2}},{terminate_child,{root,0},{a,2}}]}]}.
