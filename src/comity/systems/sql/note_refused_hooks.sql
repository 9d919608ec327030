-- Add webhooks of a system that were refused, with why the last of them was.
-- Takes system, refused_count, reason, refused_at. Nothing happens for a system that is not known.
update systems.system set
    hooks_refused_count = hooks_refused_count + %(refused_count)s,
    hook_refused_at = greatest(hook_refused_at, %(refused_at)s),
    hook_refusal = case when hook_refused_at > %(refused_at)s then hook_refusal else %(reason)s end
where system = %(system)s
