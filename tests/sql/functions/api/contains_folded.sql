begin;
select plan(12);

select tests.as_nobody();
select is(
    api.contains_folded(t.text, t.part),
    t.answer,
    format(
        '%s %s %s',
        t.text,
        case when t.answer then 'contains' else 'does not contain' end,
        t.part
    )
)
from (
    values
        ('Une école', 'ÉCO', true),
        ('École', 'éco', true),
        ('Ecole', 'éco', false),
        ('Straße', 'SSE', true),
        ('ΟΔΥΣΣΕΥΣ', 'οδυσσευς', true),
        ('ПРОЕКТ', 'проект', true),
        ('100 %', '0 %', true),
        ('100', '%', false),
        ('a_b', '_', true),
        ('ab', '_', false),
        ('a\b', '\', true),
        ('anything', '', true)
) as t (text, part, answer);

select * from finish();
rollback;
