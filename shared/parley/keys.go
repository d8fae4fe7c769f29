package parley

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

// This file builds every key of the table. A key is a path of escaped
// segments; its first segment is the project, or "~" for what belongs to the
// deployment. A project id is lower-case letters and digits, so it is never "~".
//
//	access pattern                                    key
//	project by id                                     P/project               -
//	project by public key                             ~/public/KEY            -
//	project and scopes by private key (hashed)        ~/private/HASH          -
//	who may open a console's socket, by ticket hash   ~/ticket/HASH           -
//	agents of a project                               P/project               - (a list in the item)
//	operators of a project                            P/project               operator/ID
//	private keys of an operator or a server's name    P/project               private/WHOSE/N
//	connection by id                                  ~/connection/API/ID     -
//	connections of a visitor                          P/visitor/V             connection/API/ID
//	connections of a project's people                 P/team                  connection/API/ID
//	newest session of a token and agent, by hash      P/resume/HASH           -
//	visitor by id                                     P/visitor/V             -
//	what a browser said of its visitor                P/visitor/V             about
//	who the visitor of a page says they are           P/visitor/V             said
//	where such a visitor is, and came from            P/visitor/V             track
//	what a dialect's page keeps of its visitor        P/visitor/V             kept
//	a visitor's feedback on no session                P/visitor/V             feedback/ID
//	the job that moves a visitor's sessions           P/visitor/V             job/claim
//	the job that erases a visitor                     P/visitor/V             job/erase
//	contact by id                                     P/contact/C             -
//	a contact's linked visitors                       P/contact/C             visitor/V
//	the job that blocks a contact's visitors          P/contact/C             job/block
//	the job that erases a contact                     P/contact/C             job/erase
//	contact by external id                            P/external/PROOF/ID     -
//	contact by e-mail                                 P/email/PROOF/FOLDED    -
//	a session's entries after a number                P/session/S             entry/SEQ
//	session by id, after its newest entries           P/session/S             entry~
//	a session's metadata, page, checkpoint            P/session/S             about
//	a session's rating                                P/session/S             rating
//	a visitor's feedback on a session                 P/session/S             feedback/ID
//	jobs on a session                                 P/session/S             job/KIND
//	who has seen or received a session, and how far   P/session/S             mark/KIND/WHO
//	how far a follower of its order has come          P/session/S             mark/KIND/WHO
//	what a dialect notes of the page that shows it    P/session/S             mark/page/
//	what a webhook endpoint is to get again           P/session/S             hook/ID
//	a webhook that was given up                       P/session/S             hook/ID/SEQ
//	what people were told of who waits there          P/session/S             told/WAY
//	reviews of a session's closes                     P/session/S             review/N
//	connections that look at a session                P/session/S             connection/API/ID
//	what a client without a history has been given    P/session/S             connection~
//	operators who take part in a session              P/session/S             joined/ID
//	who of the team types in a session                P/session/S             typing
//	whether a session is among the figures            P/session/S             counted
//	an entry by client id; a run's log                P/run/CLIENT            N
//	what came along for a run                         P/run/CLIENT            +
//	the link of a mailed answer, by its hash          P/link/HASH             -
//	attachment by id                                  P/file/F                -
//	the job that removes an unused attachment         P/file/F                job/drop
//	daily totals of ratings, answers, sessions        P/totals/DAY            -
//	rate and budget counters                          P/count/NAME/SUBJECT    WINDOW
//	answers kept open, by reader and by address       P/seats/KIND/SUBJECT    -
//	when people were last told that somebody waits    P/notice/WAY            -
//	how far the sweep has looked                      ~/sweep                 -
//
//	index owner   an owner's sessions, newest first   P/visitor/V or P/contact/C      TIME/S
//	              an unproven contact's, by device    P/scope/C/ID                    TIME/S
//	index work    a project's sessions by state       P/inbox/STATE-HOLDER/SHARD      TIME/S
//	              a project's ratings, newest first   P/ratings                       TIME/S
//	              a project's feedback, newest first  P/feedback                      TIME/ID
//	              webhooks given up, newest first     P/hook/ID/failed                TIME/S
//	              what is due in a minute             ~/due/MINUTE/SHARD              TIME/P/ID
//
// N is 000000, 000001 and so on.
const (
	skOnly  = "-"
	skAbout = "about"
	// skHead sorts right after every entry, so that one descending query
	// returns the head and the newest entries.
	skHead      = "entry~"
	skEntryFrom = "entry/"
	skEntryTo   = "entry/~"
	skRating    = "rating"
	skJoined    = "joined/"
	// skLine sorts right after every connection, so that one query returns both.
	skConnectionFrom = "connection/"
	skLine           = "connection~"
	skCounted        = "counted"
	skTyping         = "typing"
	skErase          = "job/erase"
	// skExtras sorts before every number of a log.
	skExtras   = "+"
	deployment = "~"
)

// escape writes s so that it can be one segment of a key: what is not a
// letter, a digit, "_" or "-" becomes "." and two hex digits. Different
// strings stay different, none is another's prefix up to a "/", and "" cannot
// be made by anything else.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.WriteByte('.')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// unescape undoes escape; ok is false for what escape cannot have written.
func unescape(s string) (raw string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '.' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		if i+2 >= len(s) {
			return "", false
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02X", &c); err != nil {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), escape(b.String()) == s
}

func path(segments ...string) string {
	for i, s := range segments {
		segments[i] = escape(s)
	}
	return strings.Join(segments, "/")
}

// deploymentPath is a path that belongs to no project.
func deploymentPath(segments ...string) string { return deployment + "/" + path(segments...) }

func projectKey(p ProjectID) table.Key { return table.Key{PK: path(string(p), "project"), SK: skOnly} }

func publicKeyKey(key string) table.Key {
	return table.Key{PK: deploymentPath("public", key), SK: skOnly}
}

// privateKeyKey is where a private key is found by the hash of its secret.
func privateKeyKey(hash string) table.Key {
	return table.Key{PK: deploymentPath("private", hash), SK: skOnly}
}

// consoleTicketKey is where a console's ticket is found by its hash.
func consoleTicketKey(hash string) table.Key {
	return table.Key{PK: deploymentPath("ticket", hash), SK: skOnly}
}

// privateSlotKey is one of the places for the keys of an operator or, where
// that is "", of the server's keys of one name: there are as many as may work
// at a time, so that no transaction has to count.
func privateSlotKey(p ProjectID, o OperatorID, name string, n int) table.Key {
	whose := path("server", name)
	if o != "" {
		whose = path("operator", string(o))
	}
	return projectKey(p).Beside(fmt.Sprintf("private/%s/%d", whose, n))
}

func operatorKey(p ProjectID, o OperatorID) table.Key {
	return projectKey(p).Beside("operator/" + escape(string(o)))
}

func visitorKey(p ProjectID, v VisitorID) table.Key {
	return table.Key{PK: path(string(p), "visitor", string(v)), SK: skOnly}
}

// visitorAboutKey is what a browser said of an anonymous visitor.
func visitorAboutKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside(skAbout) }

// visitorSaidKey is who a bare visitor says they are, visitorTrackKey where they are,
// visitorKeptKey what their page wants kept.
func visitorSaidKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside("said") }

func visitorTrackKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside("track") }

func visitorKeptKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside("kept") }

// feedbackKey is a visitor's feedback; on a session it goes when that is erased.
func feedbackKey(p ProjectID, v VisitorID, s SessionID, id string) table.Key {
	pk := visitorKey(p, v).PK
	if s != "" {
		pk = sessionPK(p, s)
	}
	return table.Key{PK: pk, SK: "feedback/" + escape(id)}
}

// claimJobKey is the job that moves a visitor's sessions to a contact.
func claimJobKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside("job/claim") }

// visitorEraseKey and contactEraseKey are the jobs that erase all of a person.
func visitorEraseKey(p ProjectID, v VisitorID) table.Key { return visitorKey(p, v).Beside(skErase) }

func contactEraseKey(p ProjectID, c ContactID) table.Key { return contactKey(p, c).Beside(skErase) }

func contactKey(p ProjectID, c ContactID) table.Key {
	return table.Key{PK: path(string(p), "contact", string(c)), SK: skOnly}
}

// blockJobKey is the job that blocks a contact's visitors, or lets them in again.
func blockJobKey(p ProjectID, c ContactID) table.Key { return contactKey(p, c).Beside("job/block") }

func contactVisitorKey(p ProjectID, c ContactID, v VisitorID) table.Key {
	return contactKey(p, c).Beside("visitor/" + escape(string(v)))
}

// scopePartition holds the sessions of a contact whom nobody vouches for under one
// external id: whoever types the same e-mail has another, and cannot make this one's
// list long.
func scopePartition(p ProjectID, c ContactID, external string) string {
	return path(string(p), "scope", string(c), external)
}

// proof keeps what is proven apart from what is only said.
func proof(proven bool) string {
	if proven {
		return "proven"
	}
	return "said"
}

func externalKey(p ProjectID, proven bool, external string) table.Key {
	return table.Key{PK: path(string(p), "external", proof(proven), external), SK: skOnly}
}

// emailKey folds the address: one mailbox, one key, however it is typed.
func emailKey(p ProjectID, proven bool, email string) table.Key {
	return table.Key{PK: path(string(p), "email", proof(proven), foldEmail(email)), SK: skOnly}
}

// foldEmail makes ASCII letters small and cuts the spaces around. Other letters
// stay: some of them, such as the Kelvin sign, fold into ASCII, and a stranger's
// address must not become somebody's.
func foldEmail(email string) string {
	b := []byte(strings.TrimSpace(email))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// connectionKey is a connection by what holds it and its id there.
func connectionKey(r socket.Ref) table.Key {
	return table.Key{PK: deploymentPath("connection", r.API, r.ID), SK: skOnly}
}

// teamPK holds the connections of a project's people.
func teamPK(p ProjectID) string { return path(string(p), "team") }

// connectedKey names a connection in the partition of whose it is: a visitor's, a
// team's, or a session's that it looks at.
func connectedKey(partition string, r socket.Ref) table.Key {
	return table.Key{PK: partition, SK: skConnectionFrom + path(r.API, r.ID)}
}

// lineKey is what a client without a history of its own has been given.
func lineKey(p ProjectID, s SessionID) table.Key { return headKey(p, s).Beside(skLine) }

// resumeKey is the newest session of a token and agent.
func resumeKey(p ProjectID, hash string) table.Key {
	return table.Key{PK: path(string(p), "resume", hash), SK: skOnly}
}

func sessionPK(p ProjectID, s SessionID) string { return path(string(p), "session", string(s)) }

func headKey(p ProjectID, s SessionID) table.Key { return table.Key{PK: sessionPK(p, s), SK: skHead} }

func aboutKey(p ProjectID, s SessionID) table.Key { return headKey(p, s).Beside(skAbout) }

// entryKey numbers with ten digits, so that sort keys order like numbers.
func entryKey(p ProjectID, s SessionID, n Seq) table.Key {
	return headKey(p, s).Beside(fmt.Sprintf("%s%010d", skEntryFrom, n))
}

func ratingKey(p ProjectID, s SessionID) table.Key { return headKey(p, s).Beside(skRating) }

// countedKey says that the session is in the totals of the day on which it began.
func countedKey(p ProjectID, s SessionID) table.Key { return headKey(p, s).Beside(skCounted) }

// reviewKey is the review of a session's close.
func reviewKey(p ProjectID, s SessionID, close int) table.Key {
	return headKey(p, s).Beside(fmt.Sprintf("review/%06d", close))
}

// jobKey is a job on a session: "look" (settle a close, watch a long run) or "erase".
func jobKey(p ProjectID, s SessionID, kind string) table.Key {
	return headKey(p, s).Beside("job/" + kind)
}

// markKey is a mark of a session: "seen" or "received" by somebody, or of one who
// does something for what happens there ("follow"), or a dialect's ("page").
func markKey(p ProjectID, s SessionID, kind, who string) table.Key {
	return headKey(p, s).Beside("mark/" + path(kind, who))
}

// joinedKey says that an operator takes part in a session.
func joinedKey(p ProjectID, s SessionID, o OperatorID) table.Key {
	return headKey(p, s).Beside(skJoined + escape(string(o)))
}

// typingKey is who of the team types in a session just now.
func typingKey(p ProjectID, s SessionID) table.Key { return headKey(p, s).Beside(skTyping) }

// hookKey is what stands, besides its mark, of an endpoint's way through a session.
func hookKey(p ProjectID, s SessionID, h HookID) table.Key {
	return headKey(p, s).Beside("hook/" + escape(string(h)))
}

func failedHookKey(p ProjectID, s SessionID, h HookID, n Seq) table.Key {
	return headKey(p, s).Beside(fmt.Sprintf("%s/%010d", hookKey(p, s, h).SK, n))
}

// failedHooksPartition lists an endpoint's webhooks that were given up.
func failedHooksPartition(p ProjectID, h HookID) string {
	return path(string(p), "hook", string(h), "failed")
}

// logKey numbers a run's log; entry 0 is the pointer of its client id.
func logKey(p ProjectID, r RunID, n int) table.Key {
	return table.Key{PK: path(string(p), "run", string(r)), SK: fmt.Sprintf("%06d", n)}
}

// extrasKey is what came along with a message for the run that answers it.
func extrasKey(p ProjectID, r RunID) table.Key { return logKey(p, r, 0).Beside(skExtras) }

func fileKey(p ProjectID, f FileID) table.Key {
	return table.Key{PK: path(string(p), "file", string(f)), SK: skOnly}
}

// fileJobKey is the job that removes a file which no message carries.
func fileJobKey(p ProjectID, f FileID) table.Key { return fileKey(p, f).Beside("job/drop") }

func totalsKey(p ProjectID, day string) table.Key {
	return table.Key{PK: path(string(p), "totals", day), SK: skOnly}
}

func counterKey(p ProjectID, name, subject string, window int64) table.Key {
	return table.Key{PK: path(string(p), "count", name, subject), SK: fmt.Sprintf("%010d", window)}
}

// seatsKey is where the seats of a reader, or of an address, are counted.
func seatsKey(p ProjectID, kind, subject string) table.Key {
	return table.Key{PK: path(string(p), "seats", kind, subject), SK: skOnly}
}

// toldKey is what people were told, in one way, of who waits in a session.
func toldKey(p ProjectID, s SessionID, w Way) table.Key {
	return headKey(p, s).Beside("told/" + escape(string(w)))
}

// noticeKey is when a project's people were last told, in one way, that somebody
// waits, and of whom they are to be told next.
func noticeKey(p ProjectID, w Way) table.Key {
	return table.Key{PK: path(string(p), "notice", string(w)), SK: skOnly}
}

func sweepKey() table.Key { return table.Key{PK: deploymentPath("sweep"), SK: skOnly} }

// stamp writes a time so that text orders like time: thirteen digits of
// milliseconds last until the year 2286.
func stamp(t time.Time) string { return fmt.Sprintf("%013d", t.UnixMilli()) }

func ownerPartition(p ProjectID, o Owner) string {
	switch {
	case o.Contact != "" && !o.Proven && o.External != "":
		return scopePartition(p, o.Contact, o.External)
	case o.Contact != "":
		return contactKey(p, o.Contact).PK
	}
	return visitorKey(p, o.Visitor).PK
}

func timeAndSession(t time.Time, s SessionID) string { return stamp(t) + "/" + escape(string(s)) }

// inboxPartition is where a project's sessions of one state and holder are
// listed; those that are archived are under listArchived instead of their state.
func inboxPartition(p ProjectID, state State, holder Holder, shard int) string {
	return path(string(p), "inbox", string(state)+"-"+string(holder), fmt.Sprint(shard))
}

func ratingsPartition(p ProjectID) string { return path(string(p), "ratings") }

func feedbackPartition(p ProjectID) string { return path(string(p), "feedback") }

// dueShards spreads what is due in one minute: an index partition takes 1,000
// writes per second (DynamoDB's limit), so this carries 4,000 sends per second.
const dueShards = 4

// duePartition holds one shard of everything that is to be looked at in one minute.
func duePartition(minute int64, shard int) string {
	return deploymentPath("due", fmt.Sprint(minute), fmt.Sprint(shard))
}

// dueShard spreads by id.
func dueShard(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % dueShards)
}

// dueSort orders what is due and names whose it is, so that the sweep need not
// read the item that carried it.
func dueSort(t time.Time, p ProjectID, id string) string { return stamp(t) + "/" + path(string(p), id) }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// splitTimeAndSession undoes timeAndSession.
func splitTimeAndSession(sort string) (at int64, id SessionID, ok bool) {
	before, after, found := strings.Cut(sort, "/")
	raw, good := unescape(after)
	at, err := strconv.ParseInt(before, 10, 64)
	return at, SessionID(raw), found && good && err == nil
}

// HeadOf returns whose session's item, the one that every transaction on a
// session replaces, lives under a key; ok is false for other keys.
func HeadOf(k table.Key) (p ProjectID, id SessionID, ok bool) {
	segments := strings.Split(k.PK, "/")
	if k.SK != skHead || len(segments) != 3 || segments[1] != "session" {
		return "", "", false
	}
	project, ok1 := unescape(segments[0])
	session, ok2 := unescape(segments[2])
	return ProjectID(project), SessionID(session), ok1 && ok2
}
