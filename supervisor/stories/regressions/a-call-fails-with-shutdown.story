% [difference] b calls a, which ends with shutdown: in Erlang b's reason then looks like
% {shutdown, Term}.
[{do,c3,{start,a,start,false,false,
   {plan,false,{script,[],{go,none}},{script,[],{go,none}},{go,none},{script,[],{go,none}}}}},
 {do,c2,{start,b,start,false,false,
   {plan,false,{script,[],{go,none}},{script,[],{go,none}},{go,none},{script,[],{go,none}}}}},
 {do,c1,{collect,{pid,b},
   {message,1,{script,[{call,{pid,a},{message,2,{script,[],{go,none}}},true,false}],{go,none}}},1}},
 {do,c3,{stop,{pid,a},shutdown,false}}].
