package operator

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

type publicKey struct {
	Key      string `json:"key"`
	Revision int64  `json:"revision"`
}

func (f function) addPublicKey(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Test bool `json:"test"`
	}
	if err := api.DecodeOptional(r, &in); err != nil {
		return nil, err
	}
	key, now, err := f.API.Store.AddPublicKey(r.Context(), s.Project.ID, in.Test)
	return api.Created{Value: publicKey{key, now.Revision}}, err
}

func (f function) removePublicKey(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.RemovePublicKey(r.Context(), s.Project.ID, r.PathValue("key"))
}

type signingKey struct {
	Kid      string `json:"kid"`
	Secret   string `json:"secret"`
	Revision int64  `json:"revision"`
}

func (f function) addSigningKey(r *http.Request, s api.Staff) (any, error) {
	kid, now, err := f.API.Store.AddSigningKey(r.Context(), s.Project.ID)
	return api.Created{Value: signingKey{kid, f.API.Keys.SigningSecret(s.Project.ID, kid), now.Revision}}, err
}

func (f function) removeSigningKey(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.RemoveSigningKey(r.Context(), s.Project.ID, r.PathValue("kid"))
}

// voidTokens makes everything void that visitors hold: their tokens, tickets and links.
func (f function) voidTokens(r *http.Request, s api.Staff) (any, error) {
	_, err := f.API.Store.VoidTokens(r.Context(), s.Project.ID)
	return removed{true}, err
}

func (f function) privateKeys(r *http.Request, s api.Staff) (any, error) {
	all, err := f.API.Store.PrivateKeys(r.Context(), s.Project.ID)
	out := make([]keyOut, len(all))
	for i, k := range all {
		out[i] = newKey(k)
	}
	return map[string][]keyOut{"keys": out}, err
}

type privateKey struct {
	Key    keyOut `json:"key"`
	Secret string `json:"secret"`
}

func (f function) addPrivateKey(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Name     string            `json:"name"`
		Scopes   []parley.Scope    `json:"scopes"`
		Operator parley.OperatorID `json:"operator"`
		Test     bool              `json:"test"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	k, secret, err := f.API.Store.AddPrivateKeyBy(r.Context(), s.Key,
		parley.PrivateKey{Name: in.Name, Scopes: in.Scopes, Operator: in.Operator, Test: in.Test})
	return api.Created{Value: privateKey{newKey(k), secret}}, err
}

func (f function) removePrivateKey(r *http.Request, s api.Staff) (any, error) {
	id := r.PathValue("key")
	err := f.API.Store.RemovePrivateKey(r.Context(), s.Project.ID, id)
	// Also where the key is unknown, so that who is answered an error may call again.
	return removed{true}, errors.Join(err, f.dismiss(r, s, id, ""))
}
