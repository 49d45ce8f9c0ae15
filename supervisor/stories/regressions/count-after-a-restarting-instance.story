% [difference] An instance is terminated while its supervisor tries to restart it.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {simple_one_for_one,1,never},
  [{worker,a,[{restart,permanent},{shutdown,30000},{significant,false},{start,{{error,shutdown},3,4}},
              {trap,true},{unlinks,false},{stop,same}]}]},
 [{start_child,{root,0},instance},
  {start_child,{root,0},instance},
  {hold,{root,0},[{crash,{a,2},boom},{terminate_child,{root,0},{a,2}}]},
  {start_child,{root,0},instance}]}.
