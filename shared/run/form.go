package run

import (
	"context"
	"time"

	"parley/shared/parley"
)

// FormTime bounds a form where its host does not: our choice, the longest time of
// an action and some for the table.
const FormTime = parley.MaxActionTime + 10*time.Second

// What of a process's deadline is kept for storing what came of a form.
const formMargin = 3 * time.Second

// Submit carries out the action of a form that a visitor sends, once, and stores
// what came of it. The same form again does nothing: it returns what is known. ctx
// must not end because the visitor leaves. Errors are those of
// parley.Store.SubmitForm; what went wrong with the action is in the call.
func (d *Dispatcher) Submit(ctx context.Context, c parley.Caller, r parley.FormRequest) (parley.FormSent, error) {
	out, err := d.store.SubmitForm(ctx, c, r)
	if err != nil || out.Request == nil {
		return out, err
	}
	return d.store.FormDone(ctx, c, r, d.carryOut(ctx, *out.Request))
}

// carryOut leaves time to store what came of it.
func (d *Dispatcher) carryOut(ctx context.Context, r parley.ActionRequest) parley.ActionResult {
	if d.Act == nil {
		return parley.ActionResult{Error: "Not sent: actions are not carried out here."}
	}
	ask := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ask, cancel = context.WithDeadline(ctx, deadline.Add(-formMargin))
		defer cancel()
	}
	result, err := d.Act(ask, r)
	if err != nil {
		return parley.ActionResult{Error: "No answer in time; nobody knows whether it was done."}
	}
	return result
}
