% b crashes while c is to be restarted: c's start fails once more, and two attempts to restart it are
% in the mailbox, the first of them before the next crash of b. Both count.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {one_for_all,2,never},
  [{worker,b,[{restart,permanent},{shutdown,30000},{significant,false},{start,{{stillborn,boom},1,1000000}},
              {trap,true},{unlinks,false},{stop,same}]},
   {worker,c,[{restart,permanent},{shutdown,30000},{significant,false},{start,{{hang_error,3},2,4}},
              {trap,true},{unlinks,false},{stop,same}]}]},
 []}.
