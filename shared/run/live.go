package run

import "context"

// Live says a run to the page that shows its session while this process generates
// it, for clients that cannot read it by themselves. One goroutine calls its methods,
// in this order. The runner waits for none of them, but Respond returns only after
// the last one has.
type Live interface {
	// Begin says that this process generates the run. There is no text yet.
	Begin(ctx context.Context)
	// Text continues the reply. It is durable. What becomes so before Text returns
	// comes with the next call.
	Text(ctx context.Context, text string)
	// End says that the run is over, whoever ended it. What came of it is stored, with
	// text that Text was not given, and may have been given more.
	End(ctx context.Context)
}

// generateLive generates a run that was claimed and says it to a page. What the runner
// has logged is not said any more once it is known that somebody else has ended the
// run: what a person cancels or takes over grows no further.
func (e *Engine) generateLive(ctx context.Context, claim *Claim, live Live) error {
	said, done, stop := e.begin(ctx, claim)
	defer stop()
	live.Begin(ctx)
	for at := 0; ; {
		text, _, end, closed, news := said.after(at)
		switch {
		case end != nil:
			live.End(ctx)
			<-done
			return nil
		case closed:
			<-done
			over := delivery{Dispatcher: e.Dispatcher, ref: claim.Ref, deliver: func(Event) error { return nil }}
			err := over.pollLog(ctx)
			if err == nil {
				live.End(ctx)
			}
			return err
		case text != "":
			at += len(text)
			live.Text(ctx, text)
			continue
		}
		select {
		case <-ctx.Done():
			<-done
			return ctx.Err()
		case <-news:
		}
	}
}
