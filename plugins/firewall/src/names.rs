//! Names of tables and functions, and the patterns that a rule compares them with.

/// Text in which `*` stands for any characters.
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: String) -> Pattern {
        Pattern(text)
    }

    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut seen) = (0, 0);
        // Where to go on if what followed the last * did not match: behind it, one byte later.
        let mut retry: Option<(usize, usize)> = None;
        while seen < text.len() {
            if pattern.get(at) == Some(&b'*') {
                retry = Some((at + 1, seen));
                at += 1;
            } else if pattern.get(at) == Some(&text[seen]) {
                at += 1;
                seen += 1;
            } else {
                let (behind, from) = match retry {
                    Some(one) => one,
                    None => return false,
                };
                retry = Some((behind, from + 1));
                at = behind;
                seen = from + 1;
            }
        }
        pattern[at..].iter().all(|&byte| byte == b'*')
    }
}

/// A name as a text has it: with a schema, or without one.
#[derive(Debug, PartialEq)]
pub struct Name {
    pub schema: Option<String>,
    pub last: String,
}

impl Name {
    /// Takes apart `orders`, `public.orders` or `"My schema"."a.b"`.
    pub fn parse(text: &str) -> Name {
        let mut parts = vec![String::new()];
        let mut is_quoted = false;
        let mut rest = text.chars().peekable();
        while let Some(one) = rest.next() {
            match one {
                '"' if is_quoted && rest.peek() == Some(&'"') => {
                    rest.next();
                    parts.last_mut().unwrap().push('"');
                }
                '"' => is_quoted = !is_quoted,
                '.' if !is_quoted => parts.push(String::new()),
                _ => parts.last_mut().unwrap().push(one),
            }
        }
        let last = parts.pop().unwrap_or_default();
        Name { schema: parts.pop(), last }
    }
}

/// What names a rule is about: `orders`, `public.orders`, `audit.*`.
pub struct NamePattern {
    schema: Option<Pattern>,
    last: Pattern,
}

impl NamePattern {
    pub fn parse(text: &str) -> NamePattern {
        let Name { schema, last } = Name::parse(text);
        NamePattern { schema: schema.map(Pattern::new), last: Pattern::new(last) }
    }

    /// Whether the name may be one of these: without a schema, it can be in any.
    pub fn may_match(&self, name: &Name) -> bool {
        let fits = |pattern: &Pattern| match &name.schema {
            Some(schema) => pattern.matches(schema),
            None => true,
        };
        self.schema.as_ref().map_or(true, fits) && self.last.matches(&name.last)
    }

    /// Whether the name is one of these for certain: written with a schema if the pattern is, and
    /// without if it is not.
    pub fn must_match(&self, name: &Name) -> bool {
        let has_schema = match (&self.schema, &name.schema) {
            (Some(pattern), Some(schema)) => pattern.matches(schema),
            (None, None) => true,
            _ => false,
        };
        has_schema && self.last.matches(&name.last)
    }
}
