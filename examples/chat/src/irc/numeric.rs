//! The numeric replies that this server gives, under their RFC names.

use crate::irc::line::Builder;

/// A numeric reply; the client's nick comes first, the rest is for the caller to add.
pub(crate) fn numeric(server: &str, nick: &str, code: u16) -> Builder {
    Builder::from(server, &format!("{code:03}")).param(nick)
}

pub(crate) const WELCOME: u16 = 1;
pub(crate) const YOURHOST: u16 = 2;
pub(crate) const CREATED: u16 = 3;
pub(crate) const MYINFO: u16 = 4;
pub(crate) const ISUPPORT: u16 = 5;
pub(crate) const UMODEIS: u16 = 221;
pub(crate) const LUSERCLIENT: u16 = 251;
pub(crate) const LUSERCHANNELS: u16 = 254;
pub(crate) const LUSERME: u16 = 255;
pub(crate) const AWAY: u16 = 301;
pub(crate) const USERHOST: u16 = 302;
pub(crate) const ISON: u16 = 303;
pub(crate) const UNAWAY: u16 = 305;
pub(crate) const NOWAWAY: u16 = 306;
pub(crate) const WHOISUSER: u16 = 311;
pub(crate) const WHOISSERVER: u16 = 312;
pub(crate) const ENDOFWHO: u16 = 315;
pub(crate) const WHOISIDLE: u16 = 317;
pub(crate) const ENDOFWHOIS: u16 = 318;
pub(crate) const WHOISCHANNELS: u16 = 319;
pub(crate) const LISTSTART: u16 = 321;
pub(crate) const LIST: u16 = 322;
pub(crate) const LISTEND: u16 = 323;
pub(crate) const CHANNELMODEIS: u16 = 324;
pub(crate) const CREATIONTIME: u16 = 329;
pub(crate) const NOTOPIC: u16 = 331;
pub(crate) const TOPIC: u16 = 332;
pub(crate) const TOPICWHOTIME: u16 = 333;
pub(crate) const VERSION: u16 = 351;
pub(crate) const WHOREPLY: u16 = 352;
pub(crate) const NAMREPLY: u16 = 353;
pub(crate) const ENDOFNAMES: u16 = 366;
pub(crate) const ENDOFBANLIST: u16 = 368;
pub(crate) const ENDOFWHOWAS: u16 = 369;
pub(crate) const MOTD: u16 = 372;
pub(crate) const MOTDSTART: u16 = 375;
pub(crate) const ENDOFMOTD: u16 = 376;
pub(crate) const TIME: u16 = 391;
pub(crate) const ERR_NOSUCHNICK: u16 = 401;
pub(crate) const ERR_NOSUCHSERVER: u16 = 402;
pub(crate) const ERR_NOSUCHCHANNEL: u16 = 403;
pub(crate) const ERR_CANNOTSENDTOCHAN: u16 = 404;
pub(crate) const ERR_TOOMANYCHANNELS: u16 = 405;
pub(crate) const ERR_WASNOSUCHNICK: u16 = 406;
pub(crate) const ERR_TOOMANYTARGETS: u16 = 407;
pub(crate) const ERR_NOORIGIN: u16 = 409;
pub(crate) const ERR_INVALIDCAPCMD: u16 = 410;
pub(crate) const ERR_NORECIPIENT: u16 = 411;
pub(crate) const ERR_NOTEXTTOSEND: u16 = 412;
pub(crate) const ERR_INPUTTOOLONG: u16 = 417;
pub(crate) const ERR_UNKNOWNCOMMAND: u16 = 421;
pub(crate) const ERR_NONICKNAMEGIVEN: u16 = 431;
pub(crate) const ERR_ERRONEUSNICKNAME: u16 = 432;
pub(crate) const ERR_NICKNAMEINUSE: u16 = 433;
pub(crate) const ERR_UNAVAILRESOURCE: u16 = 437;
pub(crate) const ERR_NOTONCHANNEL: u16 = 442;
pub(crate) const ERR_NOTREGISTERED: u16 = 451;
pub(crate) const ERR_NEEDMOREPARAMS: u16 = 461;
pub(crate) const ERR_ALREADYREGISTERED: u16 = 462;
pub(crate) const ERR_UNKNOWNMODE: u16 = 472;
pub(crate) const ERR_CHANOPRIVSNEEDED: u16 = 482;
pub(crate) const ERR_UMODEUNKNOWNFLAG: u16 = 501;
pub(crate) const ERR_USERSDONTMATCH: u16 = 502;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_have_three_digits_and_name_the_client() {
        let line = numeric("chat", "bob", WELCOME).trailing("hi").line();
        assert_eq!(line.wire(false), b":chat 001 bob :hi\r\n");
        let line = numeric("chat", "", ERR_NOTREGISTERED).trailing("x").line();
        assert_eq!(line.wire(false), b":chat 451 * :x\r\n");
    }
}
