% Not found by chance: a significant child ends while another one is to be restarted, which is no
% reason to shut down.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {one_for_one,5,all_significant},
  [{worker,a,[{restart,transient},{shutdown,30000},{significant,true},{start,{{error,boom},2,3}},
              {trap,true},{unlinks,false},{stop,same}]},
   {worker,b,[{restart,transient},{shutdown,30000},{significant,true},{start,ok},
              {trap,true},{unlinks,false},{stop,same}]}]},
 [{hold,{root,0},[{crash,{a,0},boom},{crash,{b,0},normal}]}]}.
