package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/functions/chathub"
	"parley/functions/cossistantws"
	"parley/shared/agent"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
	"parley/shared/table"
	keys "parley/shared/token"
)

// constants are the limits that limits.md tells, by name.
var constants = map[string]any{
	"parley.MaxMessageBytes":         parley.MaxMessageBytes,
	"parley.MaxAttachments":          parley.MaxAttachments,
	"parley.MaxIDBytes":              parley.MaxIDBytes,
	"parley.MaxMetadata":             parley.MaxMetadata,
	"parley.MaxMetadataBytes":        parley.MaxMetadataBytes,
	"parley.MaxReasonBytes":          parley.MaxReasonBytes,
	"parley.MaxPageBytes":            parley.MaxPageBytes,
	"parley.MaxLanguageBytes":        parley.MaxLanguageBytes,
	"parley.MaxMarks":                parley.MaxMarks,
	"parley.MaxGreeting":             parley.MaxGreeting,
	"parley.MaxGreetingBytes":        parley.MaxGreetingBytes,
	"parley.MaxDataBytes":            parley.MaxDataBytes,
	"parley.MaxCheckpointBytes":      parley.MaxCheckpointBytes,
	"token.UnprovenLife":             keys.UnprovenLife,
	"token.ProvenLife":               keys.ProvenLife,
	"parley.MaxReviewTags":           parley.MaxReviewTags,
	"parley.MaxReviewTagBytes":       parley.MaxReviewTagBytes,
	"parley.MaxLeave":                parley.MaxLeave,
	"agent.MaxSummaryBytes":          agent.MaxSummaryBytes,
	"agent.MaxReviewTags":            agent.MaxReviewTags,
	"agent.MaxTagBytes":              agent.MaxTagBytes,
	"parley.MaxQueue":                parley.MaxQueue,
	"parley.QueuedFor":               parley.QueuedFor,
	"parley.ReaderSeats":             parley.ReaderSeats,
	"parley.AddressSeats":            parley.AddressSeats,
	"parley.SeatLife":                parley.SeatLife,
	"api.MaxBodyValues":              api.MaxBodyValues,
	"parley.ContextEntries":          parley.ContextEntries,
	"parley.MaxPage":                 parley.MaxPage,
	"parley.MaxHooks":                parley.MaxHooks,
	"parley.MaxHookKeys":             parley.MaxHookKeys,
	"parley.MaxHookURLBytes":         parley.MaxHookURLBytes,
	"parley.MaxNotifyEmails":         parley.MaxNotifyEmails,
	"parley.MaxRemindMinutes":        parley.MaxRemindMinutes,
	"parley.MaxReminders":            parley.MaxReminders,
	"parley.NotifyGap":               parley.NotifyGap,
	"parley.MaxReplyLinkBytes":       parley.MaxReplyLinkBytes,
	"parley.DefaultPage":             parley.DefaultPage,
	"parley.MaxProjectActions":       parley.MaxProjectActions,
	"parley.MaxActionsBytes":         parley.MaxActionsBytes,
	"parley.MaxDescriptionBytes":     parley.MaxDescriptionBytes,
	"parley.MaxParametersBytes":      parley.MaxParametersBytes,
	"parley.MaxActionURLBytes":       parley.MaxActionURLBytes,
	"parley.MaxActionValues":         parley.MaxActionValues,
	"parley.MaxActionNameBytes":      parley.MaxActionNameBytes,
	"parley.MaxActionValueBytes":     parley.MaxActionValueBytes,
	"parley.DefaultActionTime":       parley.DefaultActionTime,
	"parley.MaxActionTime":           parley.MaxActionTime,
	"parley.MaxActionResultBytes":    parley.MaxActionResultBytes,
	"parley.MaxOverridesBytes":       parley.MaxOverridesBytes,
	"parley.MaxPromptBytes":          parley.MaxPromptBytes,
	"parley.MaxContextBytes":         parley.MaxContextBytes,
	"parley.MaxContactContextBytes":  parley.MaxContactContextBytes,
	"parley.MaxChangesPerMinute":     parley.MaxChangesPerMinute,
	"parley.TypingLife":              parley.TypingLife,
	"parley.ConsoleTicketLife":       parley.ConsoleTicketLife,
	"parley.ConsoleTicketsPerMinute": parley.ConsoleTicketsPerMinute,
	"live.CallsPerSecond":            live.CallsPerSecond,
	"live.TypingPerSecond":           live.TypingPerSecond,
	"live.CatchUpFor":                live.CatchUpFor,
	"live.CatchUpSessions":           live.CatchUpSessions,
	"live.CatchUpEntries":            live.CatchUpEntries,
	"parley.MaxPageVisitors":         parley.MaxPageVisitors,
	"parley.MaxBareConnectsPerDay":   parley.MaxBareConnectsPerDay,
	"cossistantws.FramesPerSecond":   cossistantws.FramesPerSecond,
	"cossistantws.RefusalsPerMinute": cossistantws.RefusalsPerMinute,
	"parley.MaxBack":                 parley.MaxBack,
	"parley.MaxFormBytes":            parley.MaxFormBytes,
	"parley.MaxChunkBytes":           parley.MaxChunkBytes,
	"parley.Lease":                   parley.Lease,
	"parley.MinScore":                parley.MinScore,
	"parley.MaxScore":                parley.MaxScore,
	"parley.MaxFeedbackBytes":        parley.MaxFeedbackBytes,
	"parley.MaxNameBytes":            parley.MaxNameBytes,
	"parley.DefaultUploadBytes":      parley.DefaultUploadBytes,
	"parley.MaxFileNameBytes":        parley.MaxFileNameBytes,
	"parley.UploadLife":              parley.UploadLife,
	"parley.FileLife":                parley.FileLife,
	"parley.LinkLife":                parley.LinkLife,
	"agent.DefaultFirstToken":        agent.DefaultFirstToken,
	"agent.DefaultBetweenTokens":     agent.DefaultBetweenTokens,
	"agent.DefaultAttempts":          agent.DefaultAttempts,
	"agent.MaxRounds":                agent.MaxRounds,
	"agent.MaxCalls":                 agent.MaxCalls,
	"agent.MaxArgumentBytes":         agent.MaxArgumentBytes,
	"agent.MaxGrounding":             agent.MaxGrounding,
	"api.MaxBodyBytes":               api.MaxBodyBytes,
	"token.VisitorLife":              keys.VisitorLife,
	"parley.ReplyLinkLife":           parley.ReplyLinkLife,
	"token.TicketLife":               keys.TicketLife,
	"token.IdentityLeeway":           keys.IdentityLeeway,
	"token.MaxBytes":                 keys.MaxBytes,
	"token.MinMasterBytes":           keys.MinMasterBytes,
	"token.MaxMasters":               keys.MaxMasters,
	"table.MaxItemBytes":             table.MaxItemBytes,
	"table.MaxActions":               table.MaxActions,
	"table.MaxWriteBytes":            table.MaxWriteBytes,
	"table.MaxPKBytes":               table.MaxPKBytes,
	"table.MaxSKBytes":               table.MaxSKBytes,
	"parley.MaxOperators":            parley.MaxOperators,
	"parley.MaxOperatorIDBytes":      parley.MaxOperatorIDBytes,
	"parley.MaxKeyNameBytes":         parley.MaxKeyNameBytes,
	"parley.MaxPrivateKeys":          parley.MaxPrivateKeys,
	"parley.MaxFigureDays":           parley.MaxFigureDays,
	"parley.MaxPublicKeys":           parley.MaxPublicKeys,
	"parley.MaxSigningKeys":          parley.MaxSigningKeys,
	"parley.MaxOrigins":              parley.MaxOrigins,
	"parley.MaxOriginBytes":          parley.MaxOriginBytes,
	"parley.MaxAgents":               parley.MaxAgents,
	"parley.MaxModes":                parley.MaxModes,
	"parley.MaxInstructionsBytes":    parley.MaxInstructionsBytes,
	"parley.MaxReplyTokens":          parley.MaxReplyTokens,
	"parley.MaxTexts":                parley.MaxTexts,
	"parley.MaxTextBytes":            parley.MaxTextBytes,
	"parley.MaxUploadBytes":          parley.MaxUploadBytes,
	"parley.MaxUploadTypes":          parley.MaxUploadTypes,
	"parley.DefaultTokenDays":        parley.DefaultTokenDays,
	"parley.MaxTokenDays":            parley.MaxTokenDays,
	"parley.DefaultIdentityLife":     parley.DefaultIdentityLife,
	"parley.MaxIdentitySeconds":      parley.MaxIdentitySeconds,
	"parley.MinChallengeNumbers":     parley.MinChallengeNumbers,
	"parley.MaxChallengeNumbers":     parley.MaxChallengeNumbers,
	"parley.ChallengeLife":           parley.ChallengeLife,
	"parley.MaxUploadExtensions":     parley.MaxUploadExtensions,
	"parley.MaxExtensionBytes":       parley.MaxExtensionBytes,
	"parley.MaxSettleSeconds":        parley.MaxSettleSeconds,
	"parley.MaxNumberLook":           parley.MaxNumberLook,
	"socket.MaxFrame":                socket.MaxFrame,
	"socket.MaxLife":                 socket.MaxLife,
	"socket.MaxIdle":                 socket.MaxIdle,
	"parley.ConnectionLife":          parley.ConnectionLife,
	"parley.MaxConnectionBytes":      parley.MaxConnectionBytes,
	"parley.ConnectsPerMinute":       parley.ConnectsPerMinute,
	"parley.MaxConnections":          parley.MaxConnections,
	"parley.MaxPollSeconds":          parley.MaxPollSeconds,
	"parley.MaxIdleSeconds":          parley.MaxIdleSeconds,
	"parley.MaxBudget":               parley.MaxBudget,
	"live.MaxPiece":                  live.MaxPiece,
	"live.FinalGap":                  live.FinalGap,
	"chathub.MaxContent":             chathub.MaxContent,
	"chathub.MaxMetadataBytes":       chathub.MaxMetadataBytes,
	"chathub.ResumeWithin":           chathub.ResumeWithin,
	"chathub.SilentFor":              chathub.SilentFor,
	"parley.HeardEvery":              parley.HeardEvery,
	"parley.MaxSignsPerDay":          parley.MaxSignsPerDay,
	"parley.MaxTrackingBytes":        parley.MaxTrackingBytes,
	"parley.MaxPast":                 parley.MaxPast,
	"parley.TrackingLife":            parley.TrackingLife,
	"parley.MaxTimezoneBytes":        parley.MaxTimezoneBytes,
	"parley.MaxKeptBytes":            parley.MaxKeptBytes,
	"parley.MaxRecent":               parley.MaxRecent,
}

// quantity is a number and its unit.
var quantity = regexp.MustCompile(`^([\d,]+)(?: (\w+))?`)

var units = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// equals reports whether a cell of a table says the value of a constant.
func equals(cell string, constant any) bool {
	m := quantity.FindStringSubmatch(cell)
	if m == nil {
		return false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
	if want, isTime := constant.(time.Duration); isTime {
		return err == nil && units[m[2]] > 0 && time.Duration(n)*units[m[2]] == want
	}
	return err == nil && units[m[2]] == 0 && n == reflect.ValueOf(constant).Int()
}

func TestLimitsAreThoseOfTheCode(t *testing.T) {
	told := map[string]bool{}
	for _, row := range page(t, "limits.md").rows(4) {
		name := strings.Trim(row[2], "`")
		constant, ok := constants[name]
		if !ok {
			t.Errorf("limits.md names %s, which is not among the constants", name)
			continue
		}
		told[name] = true
		if !equals(row[1], constant) {
			t.Errorf("limits.md says that %s (%s) is %s; it is %v", name, row[0], row[1], constant)
		}
	}
	for name := range constants {
		if !told[name] {
			t.Errorf("limits.md does not tell %s", name)
		}
	}
}

func TestDefaultBudgetsAreThoseOfTheCode(t *testing.T) {
	defaults := reflect.ValueOf(parley.Budgets{}.WithDefaults())
	byTag := map[string]int64{}
	for _, f := range reflect.VisibleFields(defaults.Type()) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		byTag[tag] = defaults.FieldByIndex(f.Index).Int()
	}
	told := 0
	for _, row := range page(t, "limits.md").rows(3) {
		if want, ok := byTag[strings.Trim(row[2], "`")]; ok {
			told++
			if !equals(row[1], want) {
				t.Errorf("limits.md: %s is %s; it is %d", row[2], row[1], want)
			}
		}
	}
	if told != len(byTag) {
		t.Errorf("limits.md tells %d budgets of %d", told, len(byTag))
	}
	for _, row := range page(t, "agents.md").rows(3) {
		if want, ok := byTag[strings.Trim(row[1], "`")]; ok && !equals(row[2], want) {
			t.Errorf("agents.md: %s is %s; it is %d", row[1], row[2], want)
		}
	}
}

// limitName is how a constant is called that bounds something.
var limitName = regexp.MustCompile(`^(Max|Min|Default)[A-Z]|Life$|Leeway$|^Lease$`)

// A limit that is added to the code must be told, too.
func TestNoLimitIsMissing(t *testing.T) {
	for _, pkg := range []string{"parley", "agent", "api", "token"} {
		files, err := filepath.Glob(filepath.Join("..", "shared", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in shared/%s: %v", pkg, err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range exportedConstants(parsed) {
				if _, ok := constants[pkg+"."+name]; limitName.MatchString(name) && !ok {
					t.Errorf("%s has the limit %s.%s, which limits.md does not tell", file, pkg, name)
				}
			}
		}
	}
}

func exportedConstants(file *ast.File) []string {
	var all []string
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if name.IsExported() {
					all = append(all, name.Name)
				}
			}
		}
	}
	return all
}
