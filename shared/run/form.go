package run

import (
	"context"
	"time"

	"parley/shared/parley"
)

// FormTime is how long sending a form may take where the host sets no limit. Our
// choice: the longest time of an action, and some for the table.
const FormTime = parley.MaxActionTime + 10*time.Second

// formMargin is kept free before the process's deadline, to store the form's
// result.
const formMargin = 3 * time.Second

// Submit carries out the action of a form that a visitor sent, once, and stores
// the result. The same form again carries out nothing and returns what is known.
// Pass a ctx that outlives the visitor's request: an action that was begun may
// be an order. The errors are those of parley.Store.SubmitForm; an action that
// failed is no error, the returned call says so.
func (d *Dispatcher) Submit(ctx context.Context, c parley.Caller, r parley.FormRequest) (parley.FormSent, error) {
	out, err := d.store.SubmitForm(ctx, c, r)
	if err != nil || out.Request == nil {
		return out, err
	}
	return d.store.FormDone(ctx, c, r, d.carryOut(ctx, *out.Request))
}

// carryOut calls the action, early enough to leave formMargin for storing the
// result.
func (d *Dispatcher) carryOut(ctx context.Context, r parley.ActionRequest) parley.ActionResult {
	if d.Act == nil {
		return parley.ActionResult{Error: "Not sent: actions are not carried out here."}
	}
	actCtx := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		actCtx, cancel = context.WithDeadline(ctx, deadline.Add(-formMargin))
		defer cancel()
	}
	result, err := d.Act(actCtx, r)
	if err != nil {
		return parley.ActionResult{Error: "No answer in time; nobody knows whether it was done."}
	}
	return result
}
