% The parent's exit is in the mailbox before the request to stop: its reason wins.
{{supervisor,root,[{restart,permanent},{shutdown,infinity},{significant,false},{start,ok}],
  {one_for_one,0,never},
  []},
 [{hold,{root,0},[{parent,boom},{stop,{root,0},{shutdown,x}}]}]}.
