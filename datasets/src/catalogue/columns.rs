//! The column names of files without a header line, in file order.

#[rustfmt::skip]
pub(super) const ANN_THYROID: &[&str] = &[
    "age", "sex", "on_thyroxine", "query_on_thyroxine", "on_antithyroid_medication", "sick",
    "pregnant", "thyroid_surgery", "I131_treatment", "query_hypothyroid", "query_hyperthyroid",
    "lithium", "goitre", "tumor", "hypopituitary", "psych", "TSH", "T3", "TT4", "T4U", "FTI",
    "class",
];

#[rustfmt::skip]
pub(super) const GARAVAN: &[&str] = &[
    "age", "sex", "on thyroxine", "query on thyroxine", "on antithyroid medication", "sick",
    "pregnant", "thyroid surgery", "I131 treatment", "query hypothyroid", "query hyperthyroid",
    "lithium", "goitre", "tumor", "hypopituitary", "psych", "TSH measured", "TSH", "T3 measured",
    "T3", "TT4 measured", "TT4", "T4U measured", "T4U", "FTI measured", "FTI", "TBG measured",
    "TBG", "referral source", "class",
];

#[rustfmt::skip]
pub(super) const HYPOTHYROID: &[&str] = &[
    "class", "age", "sex", "on_thyroxine", "query_on_thyroxine", "on_antithyroid_medication",
    "thyroid_surgery", "query_hypothyroid", "query_hyperthyroid", "pregnant", "sick", "tumor",
    "lithium", "goitre", "TSH_measured", "TSH", "T3_measured", "T3", "TT4_measured", "TT4",
    "T4U_measured", "T4U", "FTI_measured", "FTI", "TBG_measured", "TBG",
];

#[rustfmt::skip]
pub(super) const THYROID_0387: &[&str] = &[
    "age", "sex", "on thyroxine", "query on thyroxine", "on antithyroid medication", "sick",
    "pregnant", "thyroid surgery", "I131 treatment", "query hypothyroid", "query hyperthyroid",
    "lithium", "goitre", "tumor", "hypopituitary", "psych", "TSH measured", "TSH", "T3 measured",
    "T3", "TT4 measured", "TT4", "T4U measured", "T4U", "FTI measured", "FTI", "TBG measured",
    "TBG", "referral source", "diagnosis",
];

#[rustfmt::skip]
pub(super) const NEW_THYROID: &[&str] = &[
    "class", "T3-resin uptake", "total serum thyroxin", "total serum triiodothyronine",
    "basal TSH", "max abs diff of TSH after TRH",
];

#[rustfmt::skip]
pub(super) const ADULT: &[&str] = &[
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
];

#[rustfmt::skip]
pub(super) const INTRUSION: &[&str] = &[
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land",
    "wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in", "num_compromised",
    "root_shell", "su_attempted", "num_root", "num_file_creations", "num_shells",
    "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login", "count",
    "srv_count", "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate",
    "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate", "dst_host_count",
    "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate",
    "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate", "label",
];

#[rustfmt::skip]
pub(super) const CAR: &[&str] = &[
    "buying", "maint", "doors", "persons", "lug_boot", "safety", "class",
];

#[rustfmt::skip]
pub(super) const NURSERY: &[&str] = &[
    "parents", "has_nurs", "form", "children", "housing", "finance", "social", "health", "class",
];

#[rustfmt::skip]
pub(super) const MAGIC: &[&str] = &[
    "fLength", "fWidth", "fSize", "fConc", "fConc1", "fAsym", "fM3Long", "fM3Trans", "fAlpha",
    "fDist", "class",
];
