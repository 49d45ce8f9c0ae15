% [difference] A server stops with shutdown and waits in terminate when it is asked to stop with
% shutdown.
[{do,c1,{start,b,start,false,false,
   {plan,false,{script,[],{go,none}},{script,[],{go,none}},{go,none},{script,[gate],{go,none}}}}},
 {do,c3,{call,{pid,b},{message,4,{script,[],{stop,shutdown}}},false}},
 {do,c1,{stop,{pid,b},shutdown,false}},
 {release,b}].
