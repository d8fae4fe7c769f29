package parley

// The sentences that Parley itself says, by key. A project overrides them by
// key, or by key and language; see Project.Texts.
const (
	TextApology     = "apology"      // a reply failed before its first word
	TextBudgetSpent = "budget_spent" // a budget is used up
	TextIdlePrompt  = "idle_prompt"  // the visitor has been silent for long
	TextHandedBack  = "handed_back"  // after a human the AI answers again
	// TextAcknowledged answers a message where a human has the session; see
	// SendRequest.Acknowledge.
	TextAcknowledged = "acknowledged"
	TextCut          = "reply_cut" // ends a reply of which a widget cannot show all
)

var defaultTexts = map[string]string{
	TextApology:      "Sorry, something went wrong and I could not answer. Please try again in a moment.",
	TextHandedBack:   "The assistant answers again from here on.",
	TextBudgetSpent:  "I have reached today's limit and cannot answer any more until tomorrow.",
	TextIdlePrompt:   "Are you still there? If nothing else comes up I will close this conversation. You can write again at any time.",
	TextAcknowledged: "Thank you, your message has arrived. A person will answer you here.",
	TextCut:          "[This answer is longer than can be shown here.]",
}

// Say returns the project's sentence, or the default one in English.
func (p *Project) Say(key, language string) string {
	if t := p.Text(key, language); t != "" {
		return t
	}
	return defaultTexts[key]
}
