package parley

import "cmp"

// The sentences that Parley itself says, by key. A project overrides them by
// key, or by key and language; see Project.Texts.
const (
	TextApology     = "apology"      // a reply failed before its first word
	TextBudgetSpent = "budget_spent" // a budget is used up
	TextIdlePrompt  = "idle_prompt"  // the visitor has been silent for long
	TextHandedBack  = "handed_back"  // after a human the AI answers again
	TextUnanswered  = "unanswered"   // a person was asked for, and none came in time
	// What stands for a reply of which the agent only said how it ends.
	TextHandingOver = "handing_over"
	TextGoodbye     = "goodbye"
	TextSolved      = "solved"
	// TextAcknowledged answers a message where a human has the session; see
	// SendRequest.Acknowledge.
	TextAcknowledged = "acknowledged"
	TextCut          = "reply_cut"        // ends a reply of which a widget cannot show all
	TextIncomplete   = "reply_incomplete" // ends one that broke off, where a widget cannot mark it
	// Of who waits for a person, people are told in these words; see NotifySettings.
	// "%s" stands for what the comment names.
	TextNotifyBegan    = "notify.began"    // somebody waits
	TextNotifyAgain    = "notify.again"    // and still does
	TextNotifyMany     = "notify.many"     // how many wait
	TextNotifyVisitor  = "notify.visitor"  // of whom nothing is known
	TextNotifyUnproven = "notify.unproven" // behind a name that nobody vouches for
	TextNotifyWho      = "notify.who"
	TextNotifySince    = "notify.since"
	TextNotifyChannel  = "notify.channel"
	TextNotifyWrote    = "notify.wrote"
	TextNotifyWhy      = "notify.why"  // the agent's reason to ask for a person
	TextNotifyLeft     = "notify.left" // the page is gone
	TextNotifyOpen     = "notify.open"
	TextNotifyMore     = "notify.more" // how many are not told of one by one
	// The mail with which a person's answer reaches a visitor who has left.
	TextReplyMailSubject = "reply_mail_subject"
	TextReplyMailIntro   = "reply_mail_intro"
	TextReplyMailFiles   = "reply_mail_files" // before the names of files
	TextReplyMailLink    = "reply_mail_link"  // before the link
	TextReplyMailOnce    = "reply_mail_once"  // of a link that works once
	TextReplyMailCut     = "reply_mail_cut"   // where an answer is too long for a mail
	// TextRefused and the code of a refusal name what a visitor is told of it where
	// the widget shows the server's words.
	TextRefused = "refused."
)

var defaultTexts = map[string]string{
	TextApology:      "Sorry, something went wrong and I could not answer. Please try again in a moment.",
	TextHandedBack:   "The assistant answers again from here on.",
	TextUnanswered:   "Sorry, nobody could answer you in time. Please write again, and we will try once more.",
	TextHandingOver:  "I am getting a person for you. They will answer here.",
	TextGoodbye:      "Goodbye! You can write again at any time.",
	TextSolved:       "I am glad that this is solved.",
	TextBudgetSpent:  "I have reached today's limit and cannot answer any more until tomorrow.",
	TextIdlePrompt:   "Are you still there? If nothing else comes up I will close this conversation. You can write again at any time.",
	TextAcknowledged: "Thank you, your message has arrived. A person will answer you here.",
	TextCut:          "[This answer is longer than can be shown here.]",
	TextIncomplete:   "[This answer broke off. Please ask again.]",

	TextNotifyBegan:      "Somebody waits for a person.",
	TextNotifyAgain:      "Somebody still waits for a person, and nobody has come.",
	TextNotifyMany:       "%s people wait for a person.",
	TextNotifyVisitor:    "A visitor",
	TextNotifyUnproven:   "not confirmed",
	TextNotifyWho:        "Who",
	TextNotifySince:      "Since",
	TextNotifyChannel:    "Channel",
	TextNotifyWrote:      "Wrote",
	TextNotifyWhy:        "Why",
	TextNotifyLeft:       "has left the page",
	TextNotifyOpen:       "Open the conversation",
	TextNotifyMore:       "And %s more.",
	TextReplyMailSubject: "You have an answer",
	TextReplyMailIntro:   "You wrote to us and had left before this answer came:",
	TextReplyMailFiles:   "With files, which are in the conversation:",
	TextReplyMailLink:    "Read on and answer here:",
	TextReplyMailOnce:    "The link works once, within seven days. Please do not pass it on: it opens this conversation.",
	TextReplyMailCut:     "[This answer is longer. All of it is in the conversation.]",

	TextRefused + "session_closed":        "This conversation is closed. Please begin a new one.",
	TextRefused + "rate_limited":          "That was a lot at once. Please wait a moment and send it again.",
	TextRefused + "budget_spent":          "Today's limit is reached. Please write again tomorrow.",
	TextRefused + "queue_full":            "Several of your messages still wait for an answer. Please wait for it and send this one again.",
	TextRefused + "blocked":               "You cannot send messages here.",
	TextRefused + "identity_required":     "Please sign in to write here.",
	TextRefused + "name_refused":          "A file with this name is not taken. Please send it under another one.",
	TextRefused + "attachment_unknown":    "A file could not be attached. Please add it again.",
	TextRefused + "attachment_incomplete": "A file has not arrived whole. Please add it again.",
	TextRefused + "too_large":             "This message is too long.",
}

// Say returns the project's sentence, or the default one in English.
func (p *Project) Say(key, language string) string {
	return cmp.Or(p.Text(key, language), defaultTexts[key])
}
