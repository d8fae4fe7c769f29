package page_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// fill sets a field of the form that is shown, by its name.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	eval[chromedp.Void](b, fmt.Sprintf(`(() => {
		const field = [...document.querySelectorAll(".card label")].find(l => l.innerText.includes(%q)).querySelector("input, select, textarea");
		if (field.tagName == "SELECT") field.value = [...field.options].find(o => o.text == %q).value;
		else if (field.type == "checkbox") field.checked = true;
		else field.value = %q;
	})()`, label, value, value))
}

func TestCardOfAnAction(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("order")
	b.awaitText("Arrives on")
	card := eval[string](b, `document.querySelector(".card").innerText`)
	if !strings.Contains(card, "Your order") || !strings.Contains(card, "<img src=x onerror=alert(1)>") || !strings.Contains(card, "Friday") {
		t.Errorf("the card shows %q", card)
	}
	if n := eval[int](b, `document.querySelectorAll(".card img").length`); n != 0 {
		t.Error("what a host said is markup")
	}
	b.do(chromedp.Reload())
	b.awaitText("Arrives on")
}

func TestForm(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("refund")
	b.awaitText("Please fill this in.")
	b.await(`document.querySelector(".card form")`)
	fields := eval[[]string](b, `[...document.querySelectorAll(".card label")].map(l => l.firstChild.innerText + "|" + l.querySelector("input, select, textarea").type + "|" + l.querySelector("input, select, textarea").value)`)
	want := []string{"Order|text|7", "Amount|number|", "Reason|select-one|", "Exchange|checkbox|on", "Note (optional)|textarea|"}
	if !slices.Equal(fields, want) {
		t.Errorf("fields = %q, want %q", fields, want)
	}
	b.press("Send")
	if got := r.done(); len(got) != 0 {
		t.Errorf("a form with empty fields was sent: %q", got)
	}
	b.fill("Amount", "12")
	b.fill("Reason", "<b>other</b>")
	b.fill("Exchange", "")
	accept := r.api.hold("POST /chat/")
	b.press("Send")
	b.await(`document.querySelector(".card [type=submit]").disabled`)
	close(accept)
	b.awaitText("Arrives on")
	if got := r.done(); !slices.Equal(got, []string{`refund {"order":"7","amount":12,"reason":"<b>other</b>","exchange":true}`}) {
		t.Errorf("carried out %q", got)
	}
	if n := eval[int](b, `document.querySelectorAll(".card form, .card b").length`); n != 0 {
		t.Error("after it was sent there is still a form, or markup")
	}
	b.do(chromedp.Reload())
	b.awaitText("Arrives on")
}

// A form that was sent elsewhere with other fields is not sent again.
func TestFormThatIsRefused(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("refund")
	b.await(`document.querySelector(".card form")`)
	b.fill("Amount", "12")
	b.fill("Reason", "late")
	session := r.sessions(t, b.token())[0]
	entries := r.call(t, b.token(), "GET", "/history/"+session, nil)["entries"].([]any)
	r.call(t, b.token(), "POST", "/chat/"+session+"/form", object{"messageId": entries[1].(object)["id"], "call": "1",
		"arguments": object{"order": "8", "amount": 1, "reason": "late"}})
	b.press("Send")
	b.await(`/sent already|Arrives on/.test(document.querySelector(".card").innerText)`)
	if got := r.done(); len(got) != 1 {
		t.Errorf("carried out %q", got)
	}
}

func TestVotes(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("say hello")
	b.replies(1)
	pressed := func() []string {
		return eval[[]string](b, `[...document.querySelectorAll(".vote")].map(v => v.ariaPressed)`)
	}
	if got := pressed(); !slices.Equal(got, []string{"false", "false"}) {
		t.Errorf("votes are %q, want two buttons for the answer and none for the question", got)
	}
	b.press("This answer helped")
	b.await(`document.querySelector(".vote").ariaPressed == "true"`)
	b.press("This answer did not help")
	b.await(`document.querySelectorAll(".vote")[1].ariaPressed == "true"`)
	b.do(chromedp.Reload())
	b.replies(1)
	if got := pressed(); !slices.Equal(got, []string{"false", "true"}) {
		t.Errorf("after a reload the votes are %q", got)
	}
	if said := r.said(t, b.token(), r.sessions(t, b.token())[0]); !slices.Equal(said, []string{"say hello", "hello", "(vote)", "(vote)"}) {
		t.Errorf("stored are %q", said)
	}
}

func TestDidThisHelp(t *testing.T) {
	for _, test := range []struct{ press, vote string }{{"Yes, that helped", "true"}, {"I need more help", "false"}} {
		t.Run(test.press, func(t *testing.T) {
			r := newRig(t)
			b := visit(t, r)
			b.ask("solve")
			b.awaitText("Did this help?")
			b.press(test.press)
			b.replies(2)
			b.await(`!document.querySelector(".helps")?.checkVisibility()`)
			if got := b.messages("me"); !slices.Equal(got, []string{"solve", test.press}) {
				t.Errorf("the visitor's messages are %q", got)
			}
			b.await(`document.querySelector(".vote").ariaPressed == "` + test.vote + `"`)
		})
	}
}
