package parley

// The sentences that Parley itself says, by key. A project overrides them by
// key, or by key and language; see Project.Texts.
const (
	TextApology     = "apology"      // a reply failed before its first word
	TextBudgetSpent = "budget_spent" // a budget is used up
	TextIdlePrompt  = "idle_prompt"  // the visitor has been silent for long
	TextHandedBack  = "handed_back"  // after a human the AI answers again
	TextUnanswered  = "unanswered"   // a person was asked for, and none came in time
	// TextAcknowledged answers a message where a human has the session; see
	// SendRequest.Acknowledge.
	TextAcknowledged = "acknowledged"
	TextCut          = "reply_cut" // ends a reply of which a widget cannot show all
	// TextRefused and the code of a refusal name what a visitor is told of it where
	// the widget shows the server's words.
	TextRefused = "refused."
)

var defaultTexts = map[string]string{
	TextApology:      "Sorry, something went wrong and I could not answer. Please try again in a moment.",
	TextHandedBack:   "The assistant answers again from here on.",
	TextUnanswered:   "Sorry, nobody could answer you in time. Please write again, and we will try once more.",
	TextBudgetSpent:  "I have reached today's limit and cannot answer any more until tomorrow.",
	TextIdlePrompt:   "Are you still there? If nothing else comes up I will close this conversation. You can write again at any time.",
	TextAcknowledged: "Thank you, your message has arrived. A person will answer you here.",
	TextCut:          "[This answer is longer than can be shown here.]",

	TextRefused + "session_closed":        "This conversation is closed. Please begin a new one.",
	TextRefused + "rate_limited":          "That was a lot at once. Please wait a moment and send it again.",
	TextRefused + "budget_spent":          "Today's limit is reached. Please write again tomorrow.",
	TextRefused + "queue_full":            "Several of your messages still wait for an answer. Please wait for it and send this one again.",
	TextRefused + "blocked":               "You cannot send messages here.",
	TextRefused + "identity_required":     "Please sign in to write here.",
	TextRefused + "attachment_unknown":    "A file could not be attached. Please add it again.",
	TextRefused + "attachment_incomplete": "A file has not arrived whole. Please add it again.",
	TextRefused + "too_large":             "This message is too long.",
}

// Say returns the project's sentence, or the default one in English.
func (p *Project) Say(key, language string) string {
	if t := p.Text(key, language); t != "" {
		return t
	}
	return defaultTexts[key]
}
