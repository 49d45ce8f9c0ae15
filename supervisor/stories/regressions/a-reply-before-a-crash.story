% [difference] The request has been answered twice, and then the server has ended: the first reply
% counts. Of a second one, for which there is no handle here, nobody hears.
[{do,c1,{start,a,start,false,false,
   {plan,false,{script,[],{go,none}},{script,[],{go,none}},{go,none},{script,[],{go,none}}}}},
 {do,c2,{collect,{pid,a},{message,4,{script,[reply_now],{stop_reply,boom}}},2}},
 {do,c2,{any,{wait,zero},false}},
 {do,c2,{any,check,false}}].
