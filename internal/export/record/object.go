package record

// object is an event whose members may be anything: the log may have been written
// by a newer version, or by somebody else.
type object map[string]any

func (o object) name(key string) string {
	s, _ := o[key].(string)
	return line(s, maxName)
}

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return line(s, maxMessage/2)
}

func (o object) count(key string) int64 {
	n, _ := o[key].(float64)
	if n < 0 || n > 1<<53 {
		return 0
	}
	return int64(n)
}

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

func (o object) list(key string) []object {
	all, _ := o[key].([]any)
	var out []object
	for _, v := range all {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
